/**
 * Group commit: what arrives while a write is under way waits and shares the next one, in the order of arrival. The first
 * write begins in a microtask, so that callers of the same turn share it too.
 */
interface Waiting<Op> {
  readonly ops: readonly Op[];
  resolve(): void;
  reject(error: unknown): void;
}

export class GroupCommit<Op> {
  readonly #write: (ops: Op[]) => Promise<void>;
  #waiting: Waiting<Op>[] = [];
  #running: Promise<void> | undefined;

  /** `write` is never called twice at a time; when it rejects, every batch of that group is rejected. */
  constructor(write: (ops: Op[]) => Promise<void>) {
    this.#write = write;
  }

  commit(ops: readonly Op[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ops, resolve, reject });
      this.#running ??= this.#drain();
    });
  }

  /** Resolves when nothing waits any more; never rejects. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #drain(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(group.flatMap((batch) => batch.ops));
        for (const batch of group) batch.resolve();
      } catch (error) {
        for (const batch of group) batch.reject(error);
      }
    }
    this.#running = undefined;
  }
}
