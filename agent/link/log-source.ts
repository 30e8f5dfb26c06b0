/**
 * The log of one execution for one stream: frames of wire/log-frames.ts out of the log of its plugin, whichever instance
 * of the plugin has it.
 */
import { LimpetError, type ErrorCode } from '../../core/errors.ts';
import { parseExecutionId, type ExecutionId } from '../../core/ids.ts';
import { isTerminal, type ExecutionState } from '../../core/execution/states.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import { StreamClosed, type Piece } from '../../adapters/streams/port.ts';
import {
  LogsResponse_Stream,
  type LogsResponse,
  type LogsResponse_Frame,
} from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { logFrameParts, type LogFrame } from '../../wire/log-frames.ts';
import type { LogsRequest } from '../../wire/messages.ts';
import type { ExecutorClient } from '../plugins/port.ts';

export interface LogSourceDeps {
  readonly clock: Clock;
  record(id: ExecutionId): Promise<ExecutionRecord | undefined>;
  client(executor: string): Pick<ExecutorClient, 'logs'> | undefined;
}

const LOOK_MS = 50;
/** What a stream ends with when its plugin has gone away; the next one is waited for this long. */
const LOST: readonly ErrorCode[] = ['unavailable', 'plugin-failed'];
const LOST_MS = 30_000;
const LOST_RETRY_MS = 200;
const NOT_BEGUN: readonly ExecutionState[] = ['accepted', 'preparing', 'starting'];
const NAMES = { 1: 'stdout', 2: 'stderr', 3: 'gap' } as const;

/** What is still to be read. */
interface Rest {
  readonly fromOffset: bigint;
  readonly tailLines: number;
}

export class LogSource {
  readonly #deps: LogSourceDeps;
  readonly #request: LogsRequest;
  readonly #signal: AbortSignal;
  #rest: Rest;

  /** Nothing of it goes on when the signal has fired. */
  constructor(deps: LogSourceDeps, request: LogsRequest, signal: AbortSignal) {
    this.#deps = deps;
    this.#request = request;
    this.#signal = signal;
    this.#rest = { fromOffset: BigInt(request.FromOffset), tailLines: request.Tail ?? 0 };
  }

  /** Errors: StreamClosed when the log is no longer kept; those of the plugin. */
  async *pieces(): AsyncGenerator<Piece> {
    for await (const message of this.#messages()) {
      const frames = this.#wanted(message);
      if (frames.length > 0) yield logFrameParts(frames);
    }
  }

  /**
   * Opened once the run may have begun; followed until the execution has ended, over all its runs. When its plugin is lost
   * meanwhile, it goes on where it was with the next one.
   */
  async *#messages(): AsyncGenerator<LogsResponse> {
    const { clock } = this.#deps;
    const executor = (await this.#begun()).placement.task.Engine.Type;
    let client = this.#client(executor);
    for (let lostAt: number | undefined; ;) {
      const { run, state } = await knownExecution(this.#deps, this.#request.ExecutionId);
      // The log of what has ended is complete, and what was refused has none: neither is followed.
      const follow = this.#request.Follow && !isTerminal(state);
      let ended = false;
      try {
        for await (const message of this.#read(client, follow)) {
          lostAt = undefined;
          ended = message.end;
          yield message;
        }
        if (!follow) return;
      } catch (thrown) {
        if (this.#signal.aborted || !LOST.includes(LimpetError.from(thrown).code)) throw thrown;
        lostAt ??= clock.uptime();
        if (clock.uptime() - lostAt > LOST_MS) throw thrown;
      }
      if (ended) await this.#next(run);
      else await clock.sleep(LOST_RETRY_MS, this.#signal);
      client = this.#deps.client(executor) ?? client;
    }
  }

  async *#read(
    client: Pick<ExecutorClient, 'logs'>,
    follow: boolean,
  ): AsyncGenerator<LogsResponse> {
    const { ExecutionId: executionId, SinceMs = 0 } = this.#request;
    try {
      const order = { executionId, ...this.#rest, sinceMs: BigInt(SinceMs), follow };
      for await (const message of client.logs(order, this.#signal)) {
        this.#rest = { fromOffset: message.nextOffset, tailLines: 0 };
        yield message;
      }
    } catch (thrown) {
      const { code, message } = LimpetError.from(thrown);
      if (code === 'not-found') throw new StreamClosed({ code: 'retention', message });
      throw thrown;
    }
  }

  async #begun(): Promise<ExecutionRecord> {
    return this.#until(({ state }) => !this.#request.Follow || !NOT_BEGUN.includes(state));
  }

  /** The log of a run is complete: there is another run, or none will follow. */
  async #next(run: number): Promise<void> {
    await this.#until((now) => now.run !== run || isTerminal(now.state));
  }

  async #until(is: (record: ExecutionRecord) => boolean): Promise<ExecutionRecord> {
    for (;;) {
      const record = await knownExecution(this.#deps, this.#request.ExecutionId);
      if (is(record)) return record;
      await this.#deps.clock.sleep(LOOK_MS, this.#signal);
    }
  }

  #client(executor: string): Pick<ExecutorClient, 'logs'> {
    const client = this.#deps.client(executor);
    if (client !== undefined) return client;
    throw new LimpetError('unavailable', `executor ${executor} is not ready`);
  }

  #wanted(message: LogsResponse): LogFrame[] {
    const { Streams, SinceMs = 0 } = this.#request;
    const frames = message.frames.map(frameOf);
    const cut = cutOf(message, this.#deps.clock.now());
    return [...(cut === undefined ? [] : [cut]), ...frames].filter(
      ({ kind, timeMs }) =>
        timeMs >= SinceMs &&
        (kind === 'gap' || kind === 'cut' || Streams.length === 0 || Streams.includes(kind)),
    );
  }
}

/** Errors: `not-found`. */
export async function knownExecution(
  { record }: Pick<LogSourceDeps, 'record'>,
  text: string,
): Promise<ExecutionRecord> {
  const known = await record(parseExecutionId(text));
  if (known === undefined) throw new LimpetError('not-found', `this node has no execution ${text}`);
  return known;
}

function frameOf({ stream, timeMs, offset, data }: LogsResponse_Frame) {
  const kind = stream === LogsResponse_Stream.UNSPECIFIED ? ('gap' as const) : NAMES[stream];
  return { kind, source: 0, timeMs: Number(timeMs), offset: Number(offset), data };
}

function cutOf(message: LogsResponse, now: number) {
  const { truncatedBefore, lostFrom, frames } = message;
  const offset = Number(truncatedBefore);
  if (offset === 0) return undefined;
  const data = Buffer.from(
    lostFrom === undefined
      ? `output before byte ${offset} of the log is no longer kept`
      : `bytes ${lostFrom} to ${offset} of the log are lost: what the node had stored is damaged`,
  );
  const timeMs = Number(frames[0]?.timeMs ?? now);
  return { kind: 'cut' as const, source: 0, timeMs, offset, data };
}
