/**
 * What waits in an outbox: how much it is, and what the next row may be folded into. `RowRules` bound and fold it (see
 * docs/decisions/0013-bounded-outbox.md); without rules every row stays as it is.
 */
import type { OutgoingRow } from './stored-rows.ts';

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

export interface Taken {
  /** What is written of the row. */
  readonly body: unknown;
  /** Number of the row that it has taken in. */
  readonly folded?: number;
}

interface Waiting extends OutgoingRow {
  readonly bytes: number;
}

export class Backlog {
  readonly #rules: RowRules | undefined;
  /** The youngest row of each key. */
  readonly #foldable = new Map<string, Waiting>();
  #bytes = 0;

  constructor(rules: RowRules | undefined) {
    this.#rules = rules;
  }

  /** About. */
  get bytes(): number {
    return this.#bytes;
  }

  /** More waits than the rules allow. */
  get full(): boolean {
    return this.#rules !== undefined && this.#bytes > this.#rules.mostBytes;
  }

  /** A new row; one with a number up to `offered` may be on its way, and nothing is folded into it. */
  take({ seq, body }: OutgoingRow, offered: number): Taken {
    const rules = this.#rules;
    if (rules === undefined) return { body };
    const row = this.full ? rules.shorten(body) : body;
    const key = rules.key(row);
    const before = key === undefined ? undefined : this.#foldable.get(key.id);
    const both =
      before === undefined || before.seq <= offered ? undefined : rules.fold(before.body, row);
    const waiting = { seq, body: both ?? row, bytes: sizeOf(both ?? row) };
    this.#remember(key, waiting);
    this.#bytes += waiting.bytes;
    if (both === undefined || before === undefined) return { body: row };
    this.#bytes -= before.bytes;
    return { body: both, folded: before.seq };
  }

  /** A row that the store has. */
  found({ seq, body }: OutgoingRow): void {
    const bytes = sizeOf(body);
    this.#bytes += bytes;
    this.#remember(this.#rules?.key(body), { seq, body, bytes });
  }

  /** This row waits no more, and everything up to `cursor` was taken with it. */
  done({ body }: OutgoingRow, cursor: number): void {
    this.#bytes = Math.max(0, this.#bytes - sizeOf(body));
    const key = this.#rules?.key(body);
    if (key !== undefined && (this.#foldable.get(key.id)?.seq ?? Infinity) <= cursor)
      this.#foldable.delete(key.id);
  }

  /** Nothing is folded into rows up to this number; without one, into none that is there. */
  close(upTo = Infinity): void {
    for (const [key, { seq }] of this.#foldable) if (seq <= upTo) this.#foldable.delete(key);
  }

  /** Nothing waits, or it is about to be counted anew. */
  empty(): void {
    this.#bytes = 0;
  }

  #remember(key: ReturnType<RowRules['key']>, waiting: Waiting): void {
    if (key?.last === true) this.#foldable.delete(key.id);
    else if (key !== undefined) this.#foldable.set(key.id, waiting);
  }
}

export function sizeOf(body: unknown): number {
  return Buffer.byteLength(JSON.stringify(body) ?? '');
}
