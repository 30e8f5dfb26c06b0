/** How far a reader of a log has got, over all the connections that it took. */
import type { LogFrame, LogSource } from '../../wire/log-frames.ts';
import type { LogPosition } from '../../wire/log-position.ts';

export class LogProgress {
  /** Of each execution the next byte that is wanted. */
  readonly #next = new Map<string, number>();
  /** The same when this connection began: what lies before it was shown. */
  #shown: LogPosition = new Map();
  #newestMs: number | undefined;

  get position(): LogPosition {
    return this.#next;
  }

  /** When the newest output that came was written, ms since the epoch. */
  get newestMs(): number | undefined {
    return this.#newestMs;
  }

  connect(): void {
    this.#shown = new Map(this.#next);
  }

  /** The part of a frame that was not shown before a break; undefined when all of it was. */
  take({ executionId, recorded }: LogSource, frame: LogFrame): LogFrame | undefined {
    const { kind, offset, data, timeMs } = frame;
    if (recorded === true) return frame;
    const end = kind === 'cut' ? offset : offset + data.length;
    const shown = this.#shown.get(executionId) ?? 0;
    if (offset < shown && end <= shown) return undefined;
    this.#next.set(executionId, end);
    this.#newestMs = Math.max(this.#newestMs ?? 0, timeMs);
    const isOutput = kind === 'stdout' || kind === 'stderr';
    if (!isOutput || offset >= shown) return frame;
    return { ...frame, offset: shown, data: data.subarray(shown - offset) };
  }

  /** An execution that has begun and has written nothing yet, which a tail would not know again. */
  isEmpty(executionId: string): void {
    if (!this.#next.has(executionId)) this.#next.set(executionId, 0);
  }
}
