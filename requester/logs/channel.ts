/** Joins several writers into one reader; holds one value, so that a slow reader slows the writers. */
export class Channel<T> implements AsyncIterable<T> {
  readonly #signal: AbortSignal;
  readonly #waiting: { readonly value: T; readonly taken: () => void }[] = [];
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this.close(), { once: true });
  }

  /** Resolves when the reader has taken it, or at once when there is no reader any more. */
  push(value: T): Promise<void> {
    if (this.#signal.aborted) return Promise.resolve();
    return new Promise((taken) => {
      this.#waiting.push({ value, taken });
      this.#wake();
    });
  }

  close(): void {
    this.#closed = true;
    if (this.#signal.aborted) for (const { taken } of this.#waiting.splice(0)) taken();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
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
}
