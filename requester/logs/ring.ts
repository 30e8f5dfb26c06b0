/**
 * The newest part of a log in memory. Items have numbers, in order from 0, of which the ring holds the last ones; frames
 * have their offsets besides, so that a reader finds its place by the byte that it wants next.
 */
import { offsetAfter, type LogItem } from './log-items.ts';

/** What an item costs beside its data. */
const ITEM_BYTES = 256;

interface Entry {
  readonly item: LogItem;
  /** The byte after it. */
  readonly after: number;
  /** Cost of it and all before it, ever. */
  readonly total: number;
}

export class Ring {
  readonly #limit: number;
  readonly #entries: Entry[] = [];
  /** Number of the oldest item. */
  #first = 0;
  /** Cost of all that was dropped. */
  #dropped = 0;
  #from: number | undefined;
  #to: number | undefined;

  /** `from` is the first byte that will come, when that is known. */
  constructor(limitBytes: number, from?: number) {
    this.#limit = limitBytes;
    this.#from = this.#to = from;
  }

  /** Number of the oldest item. */
  get first(): number {
    return this.#first;
  }

  /** Number of the item that comes next. */
  get end(): number {
    return this.#first + this.#entries.length;
  }

  /** The bytes of the log that it holds: from one to before another. */
  get bytes(): { readonly from: number; readonly to: number } | undefined {
    const [from, to] = [this.#from, this.#to];
    return from === undefined || to === undefined ? undefined : { from, to };
  }

  push(item: LogItem): void {
    let cost = ITEM_BYTES;
    if (item.type === 'frame') {
      const { frame } = item;
      cost += frame.data.length;
      // Where a part of the log begins is known by its first byte only.
      if (frame.kind !== 'cut') this.#from ??= frame.offset;
      if (this.#from !== undefined) this.#to = offsetAfter(frame);
    }
    const total = this.#total() + cost;
    this.#entries.push({ item, after: this.#to ?? 0, total });
  }

  /** Drops the oldest items beyond the limit, but for those from `keep` on. */
  trim(keep: number): void {
    const excess = this.#total() - this.#limit;
    const most = Math.min(keep - this.#first, this.#entries.length);
    let count = 0;
    while (count < most && (this.#entries[count - 1]?.total ?? this.#dropped) < excess) count += 1;
    const last = this.#entries[count - 1];
    if (last === undefined) return;
    this.#entries.splice(0, count);
    this.#first += count;
    this.#dropped = last.total;
    if (this.#from !== undefined) this.#from = last.after;
  }

  /** Cost of the items from a number on. */
  costFrom(number: number): number {
    const before = this.#entries[number - this.#first - 1];
    return this.#total() - (before?.total ?? this.#dropped);
  }

  /** Items from a number on, as many as cost `mostBytes`, and at least one when there is one. */
  read(number: number, mostBytes: number): readonly LogItem[] {
    const items: LogItem[] = [];
    const base = this.#entries[number - this.#first - 1]?.total ?? this.#dropped;
    for (let at = number - this.#first; at < this.#entries.length; at += 1) {
      const entry = this.#entries[at];
      if (entry === undefined || (items.length > 0 && entry.total - base > mostBytes)) break;
      items.push(entry.item);
    }
    return items;
  }

  /** Number of the first item that a reader wants whose next byte is `offset`, which lies in `bytes`. */
  numberOf(offset: number): number {
    const at = this.#entries.findIndex(({ after }) => after > offset);
    return at < 0 ? this.end : this.#first + at;
  }

  /** Offset of the first frame of a time or later; undefined when that may lie before what it holds, or is to come. */
  since(timeMs: number): number | undefined {
    let isSure = this.#from === 0;
    for (const { item } of this.#entries) {
      if (item.type !== 'frame' || item.frame.kind === 'cut') continue;
      if (item.frame.timeMs >= timeMs) return isSure ? item.frame.offset : undefined;
      isSure = true;
    }
    return undefined;
  }

  #total(): number {
    return this.#entries.at(-1)?.total ?? this.#dropped;
  }
}
