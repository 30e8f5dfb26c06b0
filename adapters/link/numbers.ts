/**
 * The numbers of outgoing rows. Each is given out once; one whose batch failed stands for nothing and is not used again.
 * The peer may have seen what was offered: what the store held when it was opened, and what was handed out since. Rows
 * that were only written since do not count: an old copy of a store writes other rows under numbers used before.
 */
export class Numbers {
  #given: number;
  #last: number;
  #offered: number;
  readonly #failed = new Set<number>();

  /** All up to `acked` are done with. */
  constructor(acked: number) {
    this.#given = acked;
    this.#last = acked;
    this.#offered = acked;
  }

  /** The highest that was given out and has not failed. */
  get last(): number {
    return this.#last;
  }

  get offered(): number {
    return this.#offered;
  }

  next(): number {
    this.#given += 1;
    this.#last = this.#given;
    return this.#given;
  }

  /** Found in the store. */
  found(seq: number): void {
    this.#given = Math.max(this.#given, seq);
    this.#last = Math.max(this.#last, seq);
  }

  offer(seq: number): void {
    this.#offered = Math.max(this.#offered, seq);
  }

  /** A new incarnation begins after `base`: nobody has seen any of it. */
  restart(base: number): void {
    this.#offered = base;
  }

  failed(seqs: readonly number[]): void {
    for (const seq of seqs) this.#failed.add(seq);
    while (this.#failed.has(this.#last)) this.#last -= 1;
  }

  acked(cursor: number): void {
    for (const seq of this.#failed) if (seq <= cursor) this.#failed.delete(seq);
  }
}
