/** Rings for who waits for the end of a lease, when that has a new end. */
export class Renewals {
  readonly #waiting = new Map<
    string,
    { readonly rung: Promise<void>; readonly ring: () => void }
  >();

  /** Resolves at the next renewal of this run. Asked for before the lease is read, it misses none. */
  next(name: string): Promise<void> {
    const waiting = this.#waiting.get(name);
    if (waiting !== undefined) return waiting.rung;
    let ring: () => void = () => undefined;
    const rung = new Promise<void>((resolve) => (ring = resolve));
    this.#waiting.set(name, { rung, ring });
    return rung;
  }

  ring(name: string): void {
    this.#waiting.get(name)?.ring();
    this.#waiting.delete(name);
  }
}
