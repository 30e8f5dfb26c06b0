/** What most rules do with a plugin. Everything has a bound. */
import {
  LogsResponse_Stream as Stream,
  Phase,
  type LogsResponse_Frame,
  type RunState,
} from '../proto/gen/limpet/executor/v1/executor_pb.js';
import { demand, stateText } from './expect.ts';
import { Violation, type Calls, type Spec } from './types.ts';
import { until } from './wait.ts';

/** Anything with calls: a plugin, or a further client of it. */
interface Called {
  readonly calls: Calls;
}

type Keyed = Pick<Spec, 'key'>;

const CALL_MS = 30_000;
const END_MS = 20_000;

/** The digest of Prepare's last message. */
export async function prepare({ calls }: Called, spec: Spec): Promise<string> {
  let digest: string | undefined;
  for await (const message of calls.prepare({ spec }, { deadlineMs: CALL_MS })) {
    demand(digest === undefined, 'nothing after the message with `done`', 'a further message');
    if (message.done) digest = message.digest;
  }
  if (digest === undefined)
    throw new Violation("`done` in Prepare's last message", 'a stream that ended without it');
  return digest;
}

export interface Started {
  readonly state: RunState;
  readonly alreadyRunning: boolean;
}

/** Start alone; the spec carries the digest. */
export async function start({ calls }: Called, spec: Spec): Promise<Started> {
  const { state, alreadyRunning } = await calls.start({ spec }, { deadlineMs: CALL_MS });
  if (state === undefined) throw new Violation('a state in the answer of Start', 'none');
  return { state, alreadyRunning };
}

/** Prepare and Start; answers the spec as it was started, too. */
export async function launch(plugin: Called, spec: Spec): Promise<Started & { spec: Spec }> {
  const prepared = { ...spec, digest: await prepare(plugin, spec) };
  return { ...(await start(plugin, prepared)), spec: prepared };
}

export function status({ calls }: Called, { key }: Keyed): Promise<RunState> {
  return calls.status({ key });
}

export function recover({ calls }: Called, { key }: Keyed, handle?: Uint8Array): Promise<RunState> {
  return calls.recover(handle === undefined ? { key } : { key, handle }, { deadlineMs: CALL_MS });
}

export async function list({ calls }: Called): Promise<readonly RunState[]> {
  return (await calls.list({})).runs;
}

/** What List says of one run. */
export async function listed(plugin: Called, { key }: Keyed): Promise<RunState | undefined> {
  const runs = await list(plugin);
  return runs.find((run) => run.key?.executionId === key.executionId && run.key.run === key.run);
}

/** Waits by Status until the run has ended. */
export async function ended(plugin: Called, run: Keyed, withinMs = END_MS): Promise<RunState> {
  return until(
    `the end of run ${run.key.executionId}/${run.key.run}`,
    async () => {
      const seen = await status(plugin, run);
      if (seen.phase === Phase.EXITED) return seen;
      throw new Error(`it is ${stateText(seen)}`);
    },
    withinMs,
  );
}

export async function stop(
  { calls }: Called,
  { key }: Keyed,
  { graceMs = 10_000, reason = 'asked by the suite' } = {},
): Promise<void> {
  await calls.stop({ key, graceMs, reason, by: 'stop' });
}

export async function remove({ calls }: Called, { key }: Keyed, withLogs = false): Promise<void> {
  await calls.remove({ key, withLogs }, { deadlineMs: CALL_MS });
}

export interface ReadLog {
  readonly frames: readonly LogsResponse_Frame[];
  readonly stdout: string;
  readonly stderr: string;
  /** The payload of all frames that are no gaps, in order. */
  readonly bytes: Buffer;
  readonly end: boolean;
  readonly next: number;
  readonly truncatedBefore: number;
}

export interface LogWish {
  readonly from?: number;
  /** Until the end is told; else what is there now. */
  readonly follow?: boolean;
  readonly tail?: number;
  /** ms since the epoch */
  readonly since?: number;
  readonly withinMs?: number;
}

/** The log of an execution, as text of each stream. */
export async function readLog(
  { calls }: Called,
  { key }: Keyed,
  { from = 0, follow = false, tail = 0, since = 0, withinMs = CALL_MS }: LogWish = {},
): Promise<ReadLog> {
  const { executionId } = key;
  const place = { fromOffset: BigInt(from), tailLines: tail, sinceMs: BigInt(since) };
  const wish = { executionId, follow, ...place };
  const frames: LogsResponse_Frame[] = [];
  let last = { end: false, next: from, truncatedBefore: 0 };
  for await (const piece of calls.logs(wish, { deadlineMs: withinMs })) {
    frames.push(...piece.frames);
    const truncatedBefore = Number(piece.truncatedBefore) || last.truncatedBefore;
    last = { end: piece.end, next: Number(piece.nextOffset), truncatedBefore };
  }
  return { ...last, frames, ...textsOf(frames) };
}

function textsOf(frames: readonly LogsResponse_Frame[]) {
  const of = (...streams: Stream[]) =>
    Buffer.concat(frames.filter(({ stream }) => streams.includes(stream)).map(({ data }) => data));
  return {
    stdout: of(Stream.STDOUT).toString('latin1'),
    stderr: of(Stream.STDERR).toString('latin1'),
    bytes: of(Stream.STDOUT, Stream.STDERR),
  };
}

/** Reads from the start until the log holds `text`; answers the log. */
export async function logged(
  plugin: Called,
  run: Keyed,
  text: string,
  withinMs = END_MS,
): Promise<ReadLog> {
  return until(
    `${JSON.stringify(text)} in the log`,
    async () => {
      const log = await readLog(plugin, run);
      if (log.stdout.includes(text) || log.stderr.includes(text)) return log;
      throw new Error(`${log.bytes.length} bytes: ${JSON.stringify(log.stdout.slice(-60))}`);
    },
    withinMs,
  );
}
