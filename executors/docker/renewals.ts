/** Rings for who waits for the end of a lease, when that has a new end. */
export class Renewals {
  readonly #waiting = new Map<string, AbortController>();

  /** Fires at the next renewal of this run. Asked for before the lease is read, it misses none. */
  next(name: string): AbortSignal {
    const waiting = this.#waiting.get(name) ?? new AbortController();
    this.#waiting.set(name, waiting);
    return waiting.signal;
  }

  ring(name: string): void {
    this.#waiting.get(name)?.abort();
    this.#waiting.delete(name);
  }
}
