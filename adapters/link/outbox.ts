/**
 * The sending half's memory: numbered rows under `<prefix>row/`, and `<prefix>meta` {incarnation, acked}.
 * `append` only hands out store operations, so that the caller commits its state change and the rows in one batch.
 * A number whose batch failed is skipped, never used again; the receiver accepts gaps in numbers (see wire/link.ts).
 */
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import type { LinkPosition } from '../../wire/messages.ts';
import type { Store, StoreOp } from '../store/port.ts';

const metaSchema = z.object({ incarnation: z.string(), acked: z.number().int() });

export interface OutgoingRow {
  readonly seq: number;
  readonly body: unknown;
}

export interface HeadLimit {
  readonly rows: number;
  readonly bytes: number;
}

export class Outbox {
  readonly #store: Store;
  readonly #prefix: string;
  #incarnation: string;
  #acked: number;
  #lastSeq: number;
  /** Keys of rows that are acknowledged and not yet deleted. */
  #spent: string[] = [];

  private constructor(
    store: Store,
    prefix: string,
    meta: z.infer<typeof metaSchema>,
    lastSeq: number,
  ) {
    this.#store = store;
    this.#prefix = prefix;
    this.#incarnation = meta.incarnation;
    this.#acked = meta.acked;
    this.#lastSeq = lastSeq;
  }

  /** `mint` makes a new incarnation id; it is used, and stored, when there is none under the prefix. */
  static async load(store: Store, prefix: string, mint: () => string): Promise<Outbox> {
    const stored = await store.get(`${prefix}meta`);
    if (stored === undefined) {
      const meta = { incarnation: mint(), acked: 0 };
      await store.batch([{ type: 'put', key: `${prefix}meta`, value: meta }]);
      return new Outbox(store, prefix, meta, 0);
    }
    const meta = metaSchema.parse(stored);
    const last = await store.scan({ prefix: `${prefix}row/`, reverse: true, limit: 1 });
    const key = last.entries[0]?.key ?? last.corrupt[0]?.key;
    const lastSeq = key === undefined ? meta.acked : Math.max(meta.acked, seqOf(key));
    return new Outbox(store, prefix, meta, lastSeq);
  }

  get acked(): number {
    return this.#acked;
  }

  get incarnation(): string {
    return this.#incarnation;
  }

  /** True when everything that was given out is acknowledged (or was never committed). */
  get idle(): boolean {
    return this.#acked >= this.#lastSeq;
  }

  /** This end's half of a position; the inbox fills in the other. */
  position(): Pick<LinkPosition, 'incarnation' | 'lastSeq'> {
    return { incarnation: this.#incarnation, lastSeq: this.#lastSeq };
  }

  /**
   * Operations that add the rows, numbered in this order. The caller commits them in the same turn: a row that is written
   * after a younger one was acknowledged would never be sent.
   */
  append(bodies: readonly unknown[]): StoreOp[] {
    return bodies.map((body) => {
      this.#lastSeq += 1;
      return { type: 'put', key: this.#key(this.#lastSeq), value: body };
    });
  }

  /** The oldest committed rows beyond what is acknowledged. Always at least one row, however large. */
  async head(limit: HeadLimit): Promise<readonly OutgoingRow[]> {
    const { entries, corrupt } = await this.#store.scan({
      prefix: `${this.#prefix}row/`,
      after: this.#key(this.#acked),
      limit: limit.rows,
    });
    const broken = corrupt[0];
    if (broken !== undefined)
      throw new LimpetError(
        'store-corrupt',
        `outgoing row ${broken.key}: ${broken.reason}; a full snapshot is needed`,
      );
    const rows: OutgoingRow[] = [];
    let bytes = 0;
    for (const entry of entries) {
      bytes += Buffer.byteLength(JSON.stringify(entry.value));
      if (rows.length > 0 && bytes > limit.bytes) break;
      rows.push({ seq: seqOf(entry.key), body: entry.value });
    }
    return rows;
  }

  /** Bodies of all rows that wait, oldest first. */
  async waiting(): Promise<readonly unknown[]> {
    const prefix = `${this.#prefix}row/`;
    const { entries } = await this.#store.scan({ prefix, after: this.#key(this.#acked) });
    return entries.map((entry) => entry.value);
  }

  /** Forgets everything up to `cursor`; cursors that run backwards or ahead are ignored. Durable after `flush`. */
  ack(cursor: number, rows: readonly OutgoingRow[]): void {
    if (cursor <= this.#acked || cursor > this.#lastSeq) return;
    this.#acked = cursor;
    for (const { seq } of rows) if (seq <= cursor) this.#spent.push(this.#key(seq));
  }

  /**
   * Deletes what is acknowledged. Not done with each acknowledgement, as it costs a sync of its own: rows that a crash
   * leaves behind are sent again, and the receiver knows them by their numbers.
   */
  async flush(): Promise<void> {
    const spent = this.#spent;
    if (spent.length === 0) return;
    this.#spent = [];
    const value = { incarnation: this.#incarnation, acked: this.#acked };
    try {
      await this.#store.batch([
        ...spent.map((key): StoreOp => ({ type: 'del', key })),
        { type: 'put', key: `${this.#prefix}meta`, value },
      ]);
    } catch (thrown) {
      // A new incarnation uses the same keys anew.
      if (value.incarnation === this.#incarnation) this.#spent.unshift(...spent);
      throw thrown;
    }
  }

  /** Starts a new incarnation whose first rows are the snapshot; replaces every row, in one batch. */
  async restart(incarnation: string, snapshot: readonly unknown[]): Promise<void> {
    const ops: StoreOp[] = [];
    const { entries, corrupt } = await this.#store.scan({ prefix: `${this.#prefix}row/` });
    for (const { key } of [...entries, ...corrupt]) ops.push({ type: 'del', key });
    this.#incarnation = incarnation;
    this.#acked = 0;
    this.#lastSeq = 0;
    this.#spent = [];
    ops.push(...this.append(snapshot));
    ops.push({ type: 'put', key: `${this.#prefix}meta`, value: { incarnation, acked: 0 } });
    await this.#store.batch(ops);
  }

  #key(seq: number): string {
    return `${this.#prefix}row/${String(seq).padStart(16, '0')}`;
  }
}

function seqOf(key: string): number {
  return Number(key.slice(-16));
}
