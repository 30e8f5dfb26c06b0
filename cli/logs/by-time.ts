/**
 * The output of several executions that is there already, in the order in which it was written: it is held until all of
 * it has come, for at most 8 MiB or until nothing comes for half a second. What comes then is shown as it comes.
 */
import type { LogFrame, LogSource } from '../../wire/log-frames.ts';
import type { LogClock } from './clock.ts';
import type { LogPrinter } from './printer.ts';
import type { Screens } from './screens.ts';

const MOST_BYTES = 8 * 1024 * 1024;
/** What a frame takes beside its data. */
const FRAME_BYTES = 200;
const PAUSE_MS = 500;

export interface ByTimeOptions {
  readonly printer: LogPrinter;
  readonly screens: Screens;
  readonly clock: LogClock;
}

interface Held {
  readonly source: LogSource;
  readonly frames: LogFrame[];
  /** Index of the next one. */
  next: number;
}

export class ByTime implements LogPrinter {
  readonly #options: ByTimeOptions;
  /** By execution; what each has written stays in its order. */
  #held: Map<string, Held> | undefined = new Map();
  #heldBytes = 0;
  #lastAt = 0;
  #timer: { cancel(): void } | undefined;

  constructor(options: ByTimeOptions) {
    this.#options = options;
  }

  begin(source: LogSource): void {
    this.#options.printer.begin(source);
  }

  take(source: LogSource, frame: LogFrame): void {
    if (this.#held === undefined) {
      this.#options.printer.take(source, frame);
      return;
    }
    const held = this.#held.get(source.executionId) ?? { source, frames: [], next: 0 };
    this.#held.set(source.executionId, held);
    held.frames.push(frame);
    this.#heldBytes += FRAME_BYTES + frame.data.length;
    this.#lastAt = this.#options.clock.uptime();
    if (this.#timer === undefined) this.#arm(PAUSE_MS);
    if (this.#heldBytes > MOST_BYTES) this.#release();
  }

  notice(source: LogSource | undefined, text: string): void {
    this.#release();
    this.#options.printer.notice(source, text);
  }

  end(): void {
    this.#release();
    this.#options.printer.end();
  }

  #arm(delayMs: number): void {
    const { clock, screens } = this.#options;
    this.#timer = clock.after(delayMs, () => {
      const left = this.#lastAt + PAUSE_MS - clock.uptime();
      if (left > 0) {
        this.#arm(left);
        return;
      }
      this.#release();
      void screens.flush();
    });
  }

  #release(): void {
    this.#timer?.cancel();
    const waiting = [...(this.#held?.values() ?? [])];
    this.#held = undefined;
    for (let first = earliest(waiting); first !== undefined; first = earliest(waiting)) {
      this.#options.printer.take(first.held.source, first.frame);
      first.held.next += 1;
    }
  }
}

/** The earliest of what each would show next. */
function earliest(
  waiting: readonly Held[],
): { readonly held: Held; readonly frame: LogFrame } | undefined {
  let found: { readonly held: Held; readonly frame: LogFrame } | undefined;
  for (const held of waiting) {
    const frame = held.frames[held.next];
    if (frame !== undefined && frame.timeMs < (found?.frame.timeMs ?? Infinity))
      found = { held, frame };
  }
  return found;
}
