/**
 * The sending half's memory: numbered rows under `<prefix>row/`, and `<prefix>meta` {incarnation, acked, base}.
 * `append` only hands out store operations, so that the caller commits its state change and the rows in one batch.
 * A number whose batch failed is skipped, never used again; the receiver accepts gaps in numbers (see wire/link.ts).
 * Numbers go on through incarnations: a new one begins after `base`, with a snapshot.
 * What is written after a start and before anything is handed out is unseen: `<prefix>unseen` {after} tells it to the next
 * start, which would otherwise take it for sent (see docs/decisions/0014).
 * What waits is bounded, and folded, by `RowRules` (see docs/decisions/0013-bounded-outbox.md).
 */
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import type { SenderMemory } from '../../wire/link.ts';
import type { LinkPosition } from '../../wire/messages.ts';
import type { Store, StoreOp } from '../store/port.ts';
import { Numbers } from './numbers.ts';

const metaSchema = z.object({
  incarnation: z.string(),
  acked: z.number().int(),
  base: z.number().int().default(0),
});
type Meta = z.infer<typeof metaSchema>;
const unseenSchema = z.object({ after: z.number().int() });

export interface OutgoingRow {
  readonly seq: number;
  readonly body: unknown;
}

export interface HeadLimit {
  readonly rows: number;
  readonly bytes: number;
}

export interface RowRules {
  /** Waiting rows above this many bytes make the outbox full. */
  readonly mostBytes: number;
  /** Rows of one key may become one; after the last one of a key nothing is folded into it. */
  key(body: unknown): { readonly id: string; readonly last: boolean } | undefined;
  /** Both rows as one; undefined when they have to stay two. */
  fold(older: unknown, younger: unknown): unknown;
  /** What is written of a row while the outbox is full. */
  shorten(body: unknown): unknown;
}

interface Waiting {
  readonly seq: number;
  readonly body: unknown;
  readonly bytes: number;
}

const PAGE = 500;

export class Outbox {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #rules: RowRules | undefined;
  /** The youngest row of each key. */
  readonly #foldable = new Map<string, Waiting>();
  #incarnation: string;
  #acked: number;
  #base: number;
  readonly #numbers: Numbers;
  #bytes = 0;
  /** Nothing was handed out since the store was opened. */
  #silent = true;
  /** The store may say of rows that they are unseen. */
  #unseen = false;
  /** Keys of rows that are acknowledged and not yet deleted. */
  #spent: string[] = [];

  private constructor(store: Store, prefix: string, meta: Meta, rules: RowRules | undefined) {
    this.#store = store;
    this.#prefix = prefix;
    this.#rules = rules;
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
    return this.#rules !== undefined && this.#bytes > this.#rules.mostBytes;
  }

  /** About. */
  get waitingBytes(): number {
    return this.#bytes;
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
    const rows = `${this.#prefix}row/`;
    const lost = ops.filter(({ type, key }) => type === 'put' && key.startsWith(rows));
    this.#numbers.failed(lost.map(({ key }) => seqOf(key)));
    this.#foldable.clear();
    if (this.idle) this.#bytes = 0;
  }

  /** The oldest committed rows beyond what is acknowledged. Always at least one row, however large. */
  async head(limit: HeadLimit): Promise<readonly OutgoingRow[]> {
    await this.#beSeen();
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
      bytes += sizeOf(entry.value);
      if (rows.length > 0 && bytes > limit.bytes) break;
      rows.push({ seq: seqOf(entry.key), body: entry.value });
    }
    this.#numbers.offer(rows.at(-1)?.seq ?? 0);
    return rows;
  }

  /** Bodies of rows that wait, oldest first; at most `most`. */
  async waiting(most: number): Promise<readonly unknown[]> {
    const after = this.#key(this.#acked);
    const range = { prefix: `${this.#prefix}row/`, after, limit: most };
    const { entries } = await this.#store.scan(range);
    return entries.map((entry) => entry.value);
  }

  /** Forgets everything up to `cursor`; cursors that run backwards or ahead are ignored. Durable after `flush`. */
  ack(cursor: number, rows: readonly OutgoingRow[]): void {
    if (cursor <= this.#acked || cursor > this.#numbers.last) return;
    this.#acked = cursor;
    this.#numbers.acked(cursor);
    for (const { seq, body } of rows) {
      if (seq > cursor) continue;
      this.#spent.push(this.#key(seq));
      this.#bytes -= sizeOf(body);
      const key = this.#rules?.key(body);
      if (key !== undefined && (this.#foldable.get(key.id)?.seq ?? Infinity) <= cursor)
        this.#foldable.delete(key.id);
    }
    if (this.idle || this.#bytes < 0) this.#bytes = 0;
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
      await this.#store.batch([
        ...spent.map((key): StoreOp => ({ type: 'del', key })),
        this.#meta(),
      ]);
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
    for await (const { key } of this.#rows())
      if (seqOf(key) <= base) ops.push({ type: 'del', key });
    for (const [key, { seq }] of this.#foldable) if (seq <= base) this.#foldable.delete(key);
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
    const rules = this.#rules;
    const seq = this.#numbers.next();
    if (rules === undefined) return [{ type: 'put', key: this.#key(seq), value: body }];
    const row = this.full ? rules.shorten(body) : body;
    const key = rules.key(row);
    const before = key === undefined ? undefined : this.#foldable.get(key.id);
    // One that was handed out may be on its way.
    const both =
      before === undefined || before.seq <= this.#numbers.offered
        ? undefined
        : rules.fold(before.body, row);
    const value = both ?? row;
    const waiting = { seq, body: value, bytes: sizeOf(value) };
    this.#remember(key, waiting);
    this.#bytes += waiting.bytes;
    const put: StoreOp = { type: 'put', key: this.#key(seq), value };
    if (both === undefined || before === undefined) return [put];
    this.#bytes -= before.bytes;
    return [put, { type: 'del', key: this.#key(before.seq) }];
  }

  /** After a start or a snapshot: the last number, what waits, and what the next rows may be folded into. */
  async #count(): Promise<void> {
    this.#bytes = 0;
    for await (const { key, value } of this.#rows()) {
      const seq = seqOf(key);
      this.#numbers.found(seq);
      if (seq <= this.#acked) continue;
      const bytes = sizeOf(value);
      this.#bytes += bytes;
      this.#remember(this.#rules?.key(value), { seq, body: value, bytes });
    }
  }

  #remember(key: ReturnType<RowRules['key']>, waiting: Waiting): void {
    if (key?.last === true) this.#foldable.delete(key.id);
    else if (key !== undefined) this.#foldable.set(key.id, waiting);
  }

  async *#rows(): AsyncGenerator<{ readonly key: string; readonly value?: unknown }> {
    let after = '';
    for (;;) {
      const prefix = `${this.#prefix}row/`;
      const { entries, corrupt } = await this.#store.scan({ prefix, after, limit: PAGE });
      const page = [...entries, ...corrupt];
      if (page.length === 0) return;
      yield* page;
      after = page.reduce((last, { key }) => (key > last ? key : last), after);
    }
  }

  #meta(): StoreOp {
    const value: Meta = { incarnation: this.#incarnation, acked: this.#acked, base: this.#base };
    return { type: 'put', key: `${this.#prefix}meta`, value };
  }

  get #unseenKey(): string {
    return `${this.#prefix}unseen`;
  }

  #key(seq: number): string {
    return `${this.#prefix}row/${String(seq).padStart(16, '0')}`;
  }
}

function seqOf(key: string): number {
  return Number(key.slice(-16));
}

function sizeOf(body: unknown): number {
  return Buffer.byteLength(JSON.stringify(body) ?? '');
}
