/**
 * A store on a full disk, at the agent's start: what each start writes (the generation) cannot be written yet. It goes into
 * the first batch that succeeds, so that nothing of this start is durable without it.
 */
import type { Corrupt, Range, ScanResult, Store, StoreOp } from '../adapters/store/port.ts';

export interface Settling {
  readonly ops: readonly StoreOp[];
  /** What follows them beside the store; tried after each batch until it succeeds. */
  after(): Promise<void>;
}

export class SettlingStore implements Store {
  readonly #store: Store;
  readonly #settling: Settling;
  #state: 'due' | 'written' | 'settled' = 'due';

  constructor(store: Store, settling: Settling) {
    this.#store = store;
    this.#settling = settling;
  }

  get failing(): string | undefined {
    return this.#store.failing;
  }

  get(key: string): Promise<unknown> {
    return this.#store.get(key);
  }

  scan(range: Range): Promise<ScanResult> {
    return this.#store.scan(range);
  }

  async batch(ops: readonly StoreOp[]): Promise<void> {
    await this.#store.batch(this.#state === 'due' ? [...this.#settling.ops, ...ops] : ops);
    if (this.#state === 'settled') return;
    this.#state = 'written';
    await this.#settling.after().then(
      () => (this.#state = 'settled'),
      () => undefined,
    );
  }

  async quarantine(corrupt: Corrupt): Promise<void> {
    if (this.#state === 'due') await this.batch([]);
    await this.#store.quarantine(corrupt);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#store[Symbol.asyncDispose]();
  }
}
