/** The store of one simulated program over all its lives: a crash keeps exactly what was written, nothing of what was not. */
import { openMemoryStore } from '../../adapters/store/memory-store.ts';
import type { Corrupt, Range, ScanResult, Store, StoreOp } from '../../adapters/store/port.ts';
import { LimpetError } from '../../core/errors.ts';
import { NOTHING_BESIDE, type Beside } from '../../requester/state/take-up.ts';
import { forever, type Life } from './life.ts';

/** From the write to its being durable. */
const SYNC_MS = 1;

export interface DiskCopy {
  readonly records: ReadonlyMap<string, string>;
  readonly beside: Beside;
}

export class Disk {
  full = false;
  /** The file beside the store. */
  beside = NOTHING_BESIDE;
  #records: Map<string, string> = new Map();
  readonly #written: (key: string, text: string) => void;

  /** `written` hears of every record that has become durable. */
  constructor(written: (key: string, text: string) => void) {
    this.#written = written;
  }

  async open(life: Life): Promise<Store> {
    const records = new WatchedRecords(this.#records, (key, text) => {
      if (life.alive) this.#written(key, text);
    });
    this.#records = records;
    // What its last writes do after its death reaches this copy no more.
    life.onEnd(() => (this.#records = new Map(records)));
    return new MortalStore(await openMemoryStore(1, records), life, this);
  }

  copy(): DiskCopy {
    return { records: new Map(this.#records), beside: this.beside };
  }

  /** While its program is dead. */
  restore({ records }: DiskCopy): void {
    this.#records = new Map(records);
  }

  has(key: string): boolean {
    return this.#records.has(key);
  }

  /** What is durable now, by the beginning of the key. */
  read(prefix: string): readonly (readonly [key: string, value: unknown])[] {
    return [...this.#records]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, text]) => [key, JSON.parse(text.slice(8)) as unknown]);
  }
}

class WatchedRecords extends Map<string, string> {
  readonly #written: ((key: string, text: string) => void) | undefined;

  constructor(old: ReadonlyMap<string, string>, written: (key: string, text: string) => void) {
    super();
    for (const [key, text] of old) super.set(key, text);
    this.#written = written;
  }

  override set(key: string, text: string): this {
    this.#written?.(key, text);
    return super.set(key, text);
  }
}

class MortalStore implements Store {
  readonly #inner: Store;
  readonly #life: Life;
  readonly #disk: Disk;

  constructor(inner: Store, life: Life, disk: Disk) {
    this.#inner = inner;
    this.#life = life;
    this.#disk = disk;
  }

  get(key: string): Promise<unknown> {
    return this.#life.alive ? this.#life.gate(this.#inner.get(key)) : forever();
  }

  scan(range: Range): Promise<ScanResult> {
    return this.#life.alive ? this.#life.gate(this.#inner.scan(range)) : forever();
  }

  async batch(ops: readonly StoreOp[]): Promise<void> {
    await this.#life.sleep(SYNC_MS);
    if (this.#disk.full) throw new LimpetError('store-failed', 'no space left on device');
    await this.#life.gate(this.#inner.batch(ops));
  }

  quarantine(corrupt: Corrupt): Promise<void> {
    return this.#life.gate(this.#inner.quarantine(corrupt));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}
