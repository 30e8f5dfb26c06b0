/**
 * Carries the output of one run from its source into the execution's log, from the last whole frame on, until the source
 * ends; then the end mark is written. A source out of reach is asked again, 0.1 s doubling to 5 s, for as long as it takes.
 */
import { messageOf } from '../../core/errors.ts';
import type { LogWriter } from './log-writer.ts';
import { pause } from './pause.ts';
import type { LogChunk, LogSource, PluginLog } from './types.ts';

const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 5000;
/** So much output is made durable at a time, and then not needed at its source any more. */
const TAKEN_BYTES = 4 * 1024 * 1024;

export interface PumpPorts {
  readonly log: PluginLog;
  /** Called just before and just after the end mark is written. */
  readonly ending: (when: 'before' | 'after') => void;
}

/** Resolves when the end mark is written, or, without one, soon after `signal` has fired. */
export async function pumpLog(
  target: {
    readonly log: LogWriter;
    readonly run: number;
    /** The run was seen live: an end mark of it is not the last word. */
    readonly isLive: boolean;
  },
  source: LogSource,
  signal: AbortSignal,
  ports: PumpPorts,
): Promise<void> {
  const { log, run, isLive } = target;
  await log.refresh();
  let delayMs = FIRST_DELAY_MS;
  let ended = !isLive && log.hasEnded(run);
  await using receipt = new Receipt(log, source, ports.log);
  while (!ended) {
    try {
      for await (const chunk of source.read(log.cursorOf(run), signal)) {
        if (signal.aborted) return;
        log.append(run, chunk);
        delayMs = FIRST_DELAY_MS;
        receipt.add(chunk);
      }
      if (signal.aborted) return;
      ports.ending('before');
      log.markEnd(run, 'finished');
      ended = true;
      ports.ending('after');
      log.close();
    } catch (thrown) {
      if (signal.aborted) return;
      if (isDiskFull(thrown)) source.diskIsFull?.();
      ports.log.warn('log source failed', { folder: log.folder, run, reason: messageOf(thrown) });
      await pause(delayMs, signal);
      if (signal.aborted) return;
      delayMs = Math.min(delayMs * 2, LAST_DELAY_MS);
    }
  }
}

const FULL: readonly unknown[] = ['ENOSPC', 'EDQUOT'];

function isDiskFull(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  return ('code' in thrown && FULL.includes(thrown.code)) || isDiskFull(thrown.cause);
}

/** Tells a source now and then what of it is durable in the log; reading goes on meanwhile. */
class Receipt implements AsyncDisposable {
  readonly #log: LogWriter;
  readonly #source: LogSource;
  readonly #told: PluginLog;
  #untold = 0;
  #cursor = '';
  #telling: Promise<void> | undefined;

  constructor(log: LogWriter, source: LogSource, told: PluginLog) {
    this.#log = log;
    this.#source = source;
    this.#told = told;
  }

  add({ data, cursor }: LogChunk): void {
    this.#untold += data.length;
    this.#cursor = cursor;
    if (this.#untold >= TAKEN_BYTES && this.#telling === undefined) this.#begin();
  }

  /** Nothing is told any more afterwards: another instance may go on with the source. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#telling !== undefined) await this.#telling;
  }

  #begin(): void {
    this.#untold = 0;
    this.#telling = this.#tell(this.#cursor).then(
      () => {
        this.#telling = undefined;
        // A run that is silent from now on holds no more either.
        if (this.#untold >= TAKEN_BYTES) this.#begin();
      },
      (thrown: unknown) => {
        this.#telling = undefined;
        const fields = { folder: this.#log.folder, reason: messageOf(thrown) };
        this.#told.warn('logged output not freed', fields);
      },
    );
  }

  async #tell(cursor: string): Promise<void> {
    if (this.#source.taken === undefined) return;
    await this.#log.sync();
    await this.#source.taken(cursor);
  }
}
