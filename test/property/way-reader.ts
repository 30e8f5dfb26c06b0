/** A reader at the end of the way, which comes back to a requester that was away, at the byte where it was. */
import { offsetAfter, type LogItem } from '../../requester/logs/log-items.ts';
import type { LogFrame } from '../../wire/log-frames.ts';
import type { TapTable } from '../../requester/logs/tap-table.ts';
import type { ExecutionRecord } from '../../requester/state/records.ts';
import type { Printed } from './printed.ts';

/** What it reads of. */
export interface Way {
  readonly execution: ExecutionRecord;
  /** The one that is there now. */
  readonly requester: { readonly taps: TapTable };
  readonly printed: Printed;
  /** The first byte that retention has left; nothing before it can come any more. */
  readonly oldest: number;
  readonly seen: { cut: number };
}

export class WayReader {
  readonly #way: Way;
  readonly #start: number;
  #next: number;
  #fault = '';
  #end = '';
  #left = false;
  #stop = new AbortController();
  #stalled = false;
  #wake: () => void = () => undefined;
  isOver = false;
  /** How often it went on where it was. */
  resumed = -1;

  constructor(way: Way, from: number) {
    this.#way = way;
    this.#start = from;
    this.#next = from;
    void this.#read();
  }

  get next(): number {
    return this.#next;
  }

  /** Its requester is gone. */
  disconnect(): void {
    this.#stop.abort();
  }

  leave(): void {
    this.#left = true;
    this.stall(false);
    this.disconnect();
  }

  /** It takes nothing. */
  stall(stalled: boolean): void {
    this.#stalled = stalled;
    this.#wake();
  }

  /** '' when it has got all that it had to. */
  fault(end: number): string {
    if (this.#fault !== '' || this.#left) return this.#fault;
    if (this.#end !== 'finished') return `it ended with '${this.#end}' at ${this.#next}`;
    // Who begins behind the end gets nothing.
    const last = Math.max(end, this.#start);
    return this.#next === last ? '' : `the end came at ${this.#next} of ${end}`;
  }

  async #read(): Promise<void> {
    while (!this.#left && this.#end === '') {
      this.#stop = new AbortController();
      this.resumed += 1;
      const { taps } = this.#way.requester;
      const start = { fromOffset: this.#next };
      for await (const items of taps.follow(this.#way.execution, start, this.#stop.signal)) {
        while (this.#stalled) await new Promise<void>((resolve) => (this.#wake = resolve));
        if (this.#stop.signal.aborted) break;
        for (const item of items) this.#take(item);
      }
    }
    this.isOver = true;
  }

  #take(item: LogItem): void {
    if (item.type === 'end') this.#end = item.end.code;
    if (item.type !== 'frame' || this.#fault !== '') return;
    this.#fault = this.#faultOf(item.frame);
    this.#next = offsetAfter(item.frame);
  }

  #faultOf({ kind, offset, data }: LogFrame): string {
    if (kind === 'cut') {
      this.#way.seen.cut += 1;
      if (offset <= this.#next) return `a cut to ${offset}, at ${this.#next}`;
      return offset <= this.#way.oldest ? '' : `a cut to ${offset}, which is kept`;
    }
    // Words for people are never parted.
    const isWithin = kind === 'gap' && offset < this.#next && offset + data.length > this.#next;
    if (isWithin && this.#next === this.#start) return '';
    if (offset !== this.#next) return `${kind} at ${offset}, where ${this.#next} was expected`;
    return this.#way.printed.differs(kind, offset, data);
  }
}
