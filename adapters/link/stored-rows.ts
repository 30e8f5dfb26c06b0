/** Numbered rows in a store, under `<prefix>row/`, with keys in the order of their numbers. */
import type { Corrupt, Store, StoreOp } from '../store/port.ts';

export interface OutgoingRow {
  readonly seq: number;
  readonly body: unknown;
}

const PAGE = 500;
const DIGITS = 16;

export class StoredRows {
  readonly #store: Store;
  readonly #prefix: string;

  constructor(store: Store, prefix: string) {
    this.#store = store;
    this.#prefix = `${prefix}row/`;
  }

  put({ seq, body }: OutgoingRow): StoreOp {
    return { type: 'put', key: this.#key(seq), value: body };
  }

  del(seq: number): StoreOp {
    return { type: 'del', key: this.#key(seq) };
  }

  /** Of the rows that these operations put; operations of others may be among them. */
  numbersPut(ops: readonly StoreOp[]): number[] {
    const rows = ops.filter(({ type, key }) => type === 'put' && key.startsWith(this.#prefix));
    return rows.map(({ key }) => seqOf(key));
  }

  /** The first ones beyond this number, as far as they can be read. */
  async after(
    seq: number,
    limit: number,
  ): Promise<{ readonly rows: readonly OutgoingRow[]; readonly corrupt: readonly Corrupt[] }> {
    const range = { prefix: this.#prefix, after: this.#key(seq), limit };
    const { entries, corrupt } = await this.#store.scan(range);
    return { rows: entries.map(({ key, value }) => ({ seq: seqOf(key), body: value })), corrupt };
  }

  /** All of them; the body of one that cannot be read is undefined. */
  async *all(): AsyncGenerator<OutgoingRow> {
    let after = '';
    for (;;) {
      const range = { prefix: this.#prefix, after, limit: PAGE };
      const { entries, corrupt } = await this.#store.scan(range);
      for (const { key, value } of entries) yield { seq: seqOf(key), body: value };
      for (const { key } of corrupt) yield { seq: seqOf(key), body: undefined };
      const keys = [...entries, ...corrupt].map(({ key }) => key);
      if (keys.length === 0) return;
      after = keys.reduce((last, key) => (key > last ? key : last), after);
    }
  }

  #key(seq: number): string {
    return `${this.#prefix}${String(seq).padStart(DIGITS, '0')}`;
  }
}

function seqOf(key: string): number {
  return Number(key.slice(-DIGITS));
}
