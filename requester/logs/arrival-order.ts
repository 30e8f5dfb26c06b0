/** Passes on what its lanes bring as it comes; holds nothing, so that a slow reader slows the lanes. */
import type { LogBatch, LogJoin, LogLane } from './log-join.ts';

export class ArrivalOrder implements LogJoin {
  readonly #signal: AbortSignal;
  readonly #waiting: { readonly value: LogBatch; readonly taken: () => void }[] = [];
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this.close(), { once: true });
  }

  enter(): LogLane {
    return { push: (batch) => this.#push(batch), leave: () => undefined };
  }

  close(): void {
    this.#closed = true;
    if (this.#signal.aborted) for (const { taken } of this.#waiting.splice(0)) taken();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<LogBatch> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        yield next.value;
        next.taken();
      } else if (this.#closed) {
        return;
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    }
  }

  #push(value: LogBatch): Promise<void> {
    if (this.#signal.aborted) return Promise.resolve();
    return new Promise((taken) => {
      this.#waiting.push({ value, taken });
      this.#wake();
    });
  }
}
