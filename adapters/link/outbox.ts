/**
 * The sending half's memory: numbered rows under `<prefix>row/`, and `<prefix>meta` {incarnation, acked, base}.
 * `append` only hands out store operations, so that the caller commits its state change and the rows in one batch.
 * A number whose batch failed is skipped, never used again; the receiver accepts gaps in numbers (see wire/link.ts).
 * Numbers go on through incarnations: a new one begins after `base`, with a snapshot.
 * What is written after a start and before anything is handed out is unseen: `<prefix>unseen` {after} tells it to the next
 * start, which would otherwise take it for sent (see docs/decisions/0014).
 * What waits is bounded, and folded, by `RowRules` (backlog.ts).
 */
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import type { SenderMemory } from '../../wire/link.ts';
import type { LinkPosition } from '../../wire/messages.ts';
import type { Store, StoreOp } from '../store/port.ts';
import { Backlog, sizeOf, type RowRules } from './backlog.ts';
import { Numbers } from './numbers.ts';
import { StoredRows, type OutgoingRow } from './stored-rows.ts';

const metaSchema = z.object({
  incarnation: z.string(),
  acked: z.number().int(),
  base: z.number().int().default(0),
});
type Meta = z.infer<typeof metaSchema>;
const unseenSchema = z.object({ after: z.number().int() });

export interface HeadLimit {
  readonly rows: number;
  readonly bytes: number;
}

export class Outbox {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #rows: StoredRows;
  readonly #backlog: Backlog;
  #incarnation: string;
  #acked: number;
  #base: number;
  readonly #numbers: Numbers;
  /** Nothing was handed out since the store was opened. */
  #silent = true;
  /** The store may say of rows that they are unseen. */
  #unseen = false;
  /** Rows that are acknowledged and not yet deleted. */
  #spent: number[] = [];

  private constructor(store: Store, prefix: string, meta: Meta, rules: RowRules | undefined) {
    this.#store = store;
    this.#prefix = prefix;
    this.#rows = new StoredRows(store, prefix);
    this.#backlog = new Backlog(rules);
    this.#incarnation = meta.incarnation;
    this.#acked = meta.acked;
    this.#base = meta.base;
    this.#numbers = new Numbers(meta.acked);
  }

  /** `mint` makes a new incarnation id; it is used, and stored, when there is none under the prefix. */
  static async load(
    store: Store,
    prefix: string,
    mint: () => string,
    rules?: RowRules,
  ): Promise<Outbox> {
    const stored = await store.get(`${prefix}meta`);
    if (stored === undefined) {
      const meta = { incarnation: mint(), acked: 0, base: 0 };
      await store.batch([{ type: 'put', key: `${prefix}meta`, value: meta }]);
      return new Outbox(store, prefix, meta, rules);
    }
    const outbox = new Outbox(store, prefix, metaSchema.parse(stored), rules);
    await outbox.#count();
    const unseen = await store.get(outbox.#unseenKey);
    outbox.#unseen = unseen !== undefined;
    outbox.#numbers.offer(
      unseen === undefined ? outbox.#numbers.last : unseenSchema.parse(unseen).after,
    );
    return outbox;
  }

  /** 0 while nothing of this incarnation is acknowledged. */
  get acked(): number {
    return this.#acked === this.#base ? 0 : this.#acked;
  }

  get incarnation(): string {
    return this.#incarnation;
  }

  /** True when everything that was given out is acknowledged, or was never written. */
  get idle(): boolean {
    return this.#acked >= this.#numbers.last;
  }

  /** More waits than the rules allow. */
  get full(): boolean {
    return this.#backlog.full;
  }

  /** About. */
  get waitingBytes(): number {
    return this.#backlog.bytes;
  }

  /** At the most: some numbers stand for nothing. */
  get waitingRows(): number {
    return Math.max(0, this.#numbers.last - this.#acked);
  }

  get memory(): SenderMemory {
    return { incarnation: this.#incarnation, acked: this.acked, offered: this.#numbers.offered };
  }

  /** This end's half of a position, 0 for what this incarnation has not yet; the inbox fills in the other. */
  position(): Omit<LinkPosition, 'peerIncarnation' | 'peerCursor'> {
    const { last } = this.#numbers;
    return { ...this.memory, lastSeq: last > this.#base ? last : 0 };
  }

  /**
   * Operations that add the rows, numbered in this order. The caller commits them in the same turn: a row that is written
   * after a younger one was acknowledged would never be sent.
   */
  append(bodies: readonly unknown[]): StoreOp[] {
    const ops = bodies.flatMap((body) => this.#add(body));
    if (!this.#silent || ops.length === 0) return ops;
    this.#unseen = true;
    const value = { after: this.#numbers.offered };
    return [...ops, { type: 'put', key: this.#unseenKey, value }];
  }

  /**
   * This batch was not written: its rows are not waited for, and nothing may be folded into what nobody will read.
   * Operations of others may be in it.
   */
  unwritten(ops: readonly StoreOp[]): void {
    this.#numbers.failed(this.#rows.numbersPut(ops));
    this.#backlog.close();
    if (this.idle) this.#backlog.empty();
  }

  /** The oldest committed rows beyond what is acknowledged. Always at least one row, however large. */
  async head(limit: HeadLimit): Promise<readonly OutgoingRow[]> {
    await this.#beSeen();
    const { rows: waiting, corrupt } = await this.#rows.after(this.#acked, limit.rows);
    const broken = corrupt[0];
    if (broken !== undefined)
      throw new LimpetError(
        'store-corrupt',
        `outgoing row ${broken.key}: ${broken.reason}; a full snapshot is needed`,
      );
    const rows: OutgoingRow[] = [];
    let bytes = 0;
    for (const row of waiting) {
      bytes += sizeOf(row.body);
      if (rows.length > 0 && bytes > limit.bytes) break;
      rows.push(row);
    }
    this.#numbers.offer(rows.at(-1)?.seq ?? 0);
    return rows;
  }

  /** Bodies of rows that wait, oldest first; at most `most`. */
  async waiting(most: number): Promise<readonly unknown[]> {
    const { rows } = await this.#rows.after(this.#acked, most);
    return rows.map(({ body }) => body);
  }

  /** Forgets everything up to `cursor`; cursors that run backwards or ahead are ignored. Durable after `flush`. */
  ack(cursor: number, rows: readonly OutgoingRow[]): void {
    if (cursor <= this.#acked || cursor > this.#numbers.last) return;
    this.#acked = cursor;
    this.#numbers.acked(cursor);
    for (const row of rows) {
      if (row.seq > cursor) continue;
      this.#spent.push(row.seq);
      this.#backlog.done(row, cursor);
    }
    if (this.idle) this.#backlog.empty();
  }

  /**
   * Deletes what is acknowledged. Not done with each acknowledgement, as it costs a sync of its own: rows that a crash
   * leaves behind are sent again, and the receiver knows them by their numbers.
   */
  async flush(): Promise<void> {
    const spent = this.#spent;
    if (spent.length === 0) return;
    this.#spent = [];
    try {
      await this.#store.batch([...spent.map((seq) => this.#rows.del(seq)), this.#meta()]);
    } catch (thrown) {
      this.#spent.unshift(...spent);
      throw thrown;
    }
  }

  /**
   * Starts a new incarnation with a snapshot of everything up to now. Rows that are appended meanwhile stay: they may come
   * before the snapshot and tell more than it does. While it runs nothing may be sent.
   */
  async restart(incarnation: string, snapshot: () => Promise<readonly unknown[]>): Promise<void> {
    const base = this.#numbers.last;
    // Batches are committed in order: after this one the store shows what every row up to `base` tells.
    await this.#store.batch([this.#meta()]);
    const bodies = await snapshot();
    const ops: StoreOp[] = [];
    for await (const { seq } of this.#rows.all()) if (seq <= base) ops.push(this.#rows.del(seq));
    this.#backlog.close(base);
    // Nothing that `flush` would write while this is under way.
    this.#spent = [];
    const meta: Meta = { incarnation, acked: base, base };
    ops.push(...this.append(bodies), { type: 'put', key: `${this.#prefix}meta`, value: meta });
    await this.#store.batch(ops).catch((thrown: unknown) => {
      this.unwritten(ops);
      throw thrown;
    });
    this.#incarnation = incarnation;
    this.#acked = base;
    this.#base = base;
    this.#numbers.restart(base);
    await this.#count();
  }

  /** Durable before the first row goes out: no later start may take it for unseen. */
  async #beSeen(): Promise<void> {
    this.#silent = false;
    if (!this.#unseen) return;
    await this.#store.batch([{ type: 'del', key: this.#unseenKey }]);
    this.#unseen = false;
  }

  #add(body: unknown): StoreOp[] {
    const seq = this.#numbers.next();
    const { body: row, folded } = this.#backlog.take({ seq, body }, this.#numbers.offered);
    const put = this.#rows.put({ seq, body: row });
    return folded === undefined ? [put] : [put, this.#rows.del(folded)];
  }

  /** After a start or a snapshot: the last number, what waits, and what the next rows may be folded into. */
  async #count(): Promise<void> {
    this.#backlog.empty();
    for await (const row of this.#rows.all()) {
      this.#numbers.found(row.seq);
      if (row.seq > this.#acked) this.#backlog.found(row);
    }
  }

  #meta(): StoreOp {
    const value: Meta = { incarnation: this.#incarnation, acked: this.#acked, base: this.#base };
    return { type: 'put', key: `${this.#prefix}meta`, value };
  }

  get #unseenKey(): string {
    return `${this.#prefix}unseen`;
  }
}
