/** Log streams: stdout to stdout, stderr to stderr, byte for byte; on a terminal without control sequences. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { LimpetError } from '../../core/errors.ts';
import type { LogEvent } from '../../wire/http.ts';
import type { ApiClient } from '../api/client.ts';
import { logEndSchema, logEventSchema } from '../api/events.ts';
import type { Context, Output } from '../context.ts';
import { NO_COLOURS, plainText, TerminalText } from '../output/terminal-text.ts';

const RETRY_MS = 500;
const AWAY_MS = 60_000;

export interface StreamLogs {
  readonly jobId: string;
  readonly execution?: string | undefined;
  readonly follow: boolean;
  readonly tail?: number | undefined;
  readonly stream?: 'stdout' | 'stderr' | undefined;
  readonly signal: AbortSignal;
  /** Something came. */
  onData?(): void;
}

/**
 * Resolves when the log has ended. A broken connection is taken up again where it broke, by offset, for a minute.
 * Throws `unavailable` when the stream ends for another reason than the end of the work.
 */
export async function streamLogs(
  api: ApiClient,
  context: Context,
  logs: StreamLogs,
): Promise<void> {
  const seen = new Map<string, number>();
  const screens = new Screens(context);
  let awaySince: number | undefined;
  for (;;) {
    try {
      const onData = (): void => {
        awaySince = undefined;
        logs.onData?.();
      };
      await readOnce(api, { logs, seen, screens, onData });
      await screens.end();
      return;
    } catch (error) {
      const problem = LimpetError.from(error);
      awaySince ??= performance.now();
      const again = problem.code === 'unavailable' && logs.follow;
      if (!again || performance.now() - awaySince > AWAY_MS) throw problem;
    }
    await delay(RETRY_MS, undefined, { signal: logs.signal });
  }
}

interface Reading {
  readonly logs: StreamLogs;
  /** Where what was shown of each execution ends. */
  readonly seen: Map<string, number>;
  readonly screens: Screens;
  onData(): void;
}

async function readOnce(api: ApiClient, reading: Reading): Promise<void> {
  const { jobId, execution, follow, tail, stream, signal } = reading.logs;
  // What was shown is skipped by offset; a tail would count from another end.
  const query = { execution, follow, stream, tail: reading.seen.size > 0 ? undefined : tail };
  const path = `limpet/jobs/${encodeURIComponent(jobId)}/logs`;
  for await (const { event, data } of api.events(path, { query, signal })) {
    if (event === 'message') {
      reading.onData();
      await show(logEventSchema.parse(JSON.parse(data)), reading);
    }
    if (event === 'end') {
      const end = logEndSchema.parse(JSON.parse(data));
      if (end.code === 'finished') return;
      throw new LimpetError('unavailable', `the log ended early (${end.code}): ${end.message}`);
    }
  }
  throw new LimpetError('unavailable', 'the log ended without its end mark');
}

async function show(log: LogEvent, { seen, screens }: Reading): Promise<void> {
  const bytes = Buffer.from(log.data, 'base64');
  const end = log.truncatedBefore ?? log.offset + bytes.length;
  if (end <= (seen.get(log.executionId) ?? 0)) return;
  seen.set(log.executionId, end);
  if (log.stream === 'gap') await screens.gap(bytes.toString('utf8'));
  else await screens.write(log.stream, bytes);
}

/** stdout and stderr of this command, each as a terminal when it is one. */
class Screens {
  readonly #context: Context;
  readonly #texts: Readonly<Record<'stdout' | 'stderr', TerminalText | undefined>>;

  constructor(context: Context) {
    this.#context = context;
    const textOf = ({ isTTY }: Output) => (isTTY === true ? new TerminalText() : undefined);
    this.#texts = { stdout: textOf(context.stdout), stderr: textOf(context.stderr) };
  }

  write(name: 'stdout' | 'stderr', bytes: Buffer): Promise<void> {
    return write(this.#context[name], this.#texts[name]?.take(bytes) ?? bytes);
  }

  async gap(text: string): Promise<void> {
    const isTerminal = this.#texts.stderr !== undefined;
    const line = isTerminal ? `${NO_COLOURS}[gap] ${plainText(text)}\n` : `[gap] ${text}\n`;
    await write(this.#context.stderr, line);
  }

  async end(): Promise<void> {
    for (const name of ['stdout', 'stderr'] as const) {
      const rest = this.#texts[name]?.end() ?? '';
      if (rest !== '') await write(this.#context[name], rest);
    }
  }
}

async function write(output: Output, data: string | Buffer): Promise<void> {
  if (!output.write(data)) await once(output, 'drain');
}
