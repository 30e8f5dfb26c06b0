/**
 * The one stream from a node for all who follow an execution. It holds the newest part of the log in a ring, and reads on
 * at the pace of its fastest reader: what nobody has taken yet is never more than the ring. A reader that is slower than
 * the ring falls out of it, and delays nobody. With its last reader it lets go of the node.
 */
import { LimpetError } from '../../core/errors.ts';
import { frameFrom, isBefore, offsetAfter, type LogItem, type LogStart } from './log-items.ts';
import type { ResumedLog } from './resumed-log.ts';
import { Ring } from './ring.ts';

export interface TapOptions {
  readonly ringBytes: number;
  readonly start: LogStart;
  /** What it reads; ends when the signal of `stop` fires. */
  readonly log: ResumedLog;
  readonly stop: AbortController;
}

export class Tap {
  readonly #options: TapOptions;
  readonly #ring: Ring;
  /** It asks for more while the ring has room for it. */
  readonly #mostUntaken: number;
  readonly #members = new Set<Member>();
  #over = false;
  #room: () => void = () => undefined;

  constructor(options: TapOptions) {
    this.#options = options;
    this.#ring = new Ring(options.ringBytes, options.log.next);
    this.#mostUntaken = options.ringBytes * (7 / 8);
  }

  /** Has ended, or was let go: nobody can join any more. */
  get isOver(): boolean {
    return this.#over || this.#options.stop.signal.aborted;
  }

  /** Reads to the end of the log. Never rejects. */
  async run(): Promise<void> {
    try {
      for await (const items of this.#options.log.read()) {
        for (const item of items) this.#push(item);
        this.#wake();
        while (!this.isOver && this.#untaken() > this.#mostUntaken)
          await new Promise<void>((resolve) => (this.#room = resolve));
      }
    } catch (thrown) {
      const { message } = LimpetError.from(thrown);
      this.#push({ type: 'end', end: { code: 'error', message } });
    }
    this.#over = true;
    this.#wake();
  }

  /** Whether a reader that begins there can join. */
  holds(start: LogStart): boolean {
    return !this.isOver && this.#place(start) !== undefined;
  }

  /** undefined when the ring does not hold, or cannot tell, what this reader wants next. */
  join(start: LogStart): Member | undefined {
    if (this.isOver) return undefined;
    const place = this.#place(start);
    if (place === undefined) return undefined;
    const member: Member = new Member(place, {
      ring: this.#ring,
      takeBytes: this.#options.ringBytes / 16,
      // Who has a part of the ring before it finds them there.
      words: place.number === this.#ring.end ? this.#options.log.waiting : undefined,
      isOver: () => this.isOver,
      taken: () => this.#room(),
      left: () => this.#leave(member),
    });
    this.#members.add(member);
    return member;
  }

  #push(item: LogItem): void {
    if (item.type === 'end') this.#over = true;
    this.#ring.push(item);
    const { from } = this.#ring.bytes ?? {};
    if (from !== undefined) for (const member of this.#members) member.begin(from);
    this.#ring.trim(this.#fastest());
  }

  #wake(): void {
    for (const member of this.#members) member.wake();
  }

  /** Number of the first item that nobody has taken. */
  #fastest(): number {
    let fastest = this.#ring.first;
    for (const { number } of this.#members) fastest = Math.max(fastest, number);
    return fastest;
  }

  #untaken(): number {
    return this.#ring.costFrom(this.#fastest());
  }

  #leave(member: Member): void {
    this.#members.delete(member);
    if (this.#members.size === 0) this.#options.stop.abort();
    this.#room();
  }

  #place(start: LogStart): Place | undefined {
    const bytes = this.#ring.bytes;
    if (bytes === undefined)
      return sameStart(start, this.#options.start)
        ? { number: this.#ring.first, floor: undefined }
        : undefined;
    const next = this.#nextOf(start);
    // A little ahead is as good: it takes what comes before that in no time.
    if (next === undefined || next < bytes.from || next > bytes.to + this.#options.ringBytes)
      return undefined;
    return { number: this.#ring.numberOf(next), floor: next };
  }

  /** What a tail begins with is known at the node alone. */
  #nextOf({ fromOffset, tail, sinceMs }: LogStart): number | undefined {
    if (fromOffset !== undefined) return fromOffset;
    if (tail !== undefined) return undefined;
    return sinceMs === undefined ? 0 : this.#ring.since(sinceMs);
  }
}

/** The next item of a reader; of frames what lies before `floor` is not for it. Unknown before the first frame. */
interface Place {
  readonly number: number;
  readonly floor: number | undefined;
}

interface Seat {
  readonly ring: Ring;
  /** What it takes at once. */
  readonly takeBytes: number;
  /** What it has to be told first. */
  readonly words: string | undefined;
  readonly isOver: () => boolean;
  readonly taken: () => void;
  readonly left: () => void;
}

/** A reader of the ring. */
export class Member {
  readonly #seat: Seat;
  #number: number;
  #floor: number | undefined;
  #words: string | undefined;
  #wake: () => void = () => undefined;

  constructor({ number, floor }: Place, seat: Seat) {
    this.#seat = seat;
    this.#number = number;
    this.#floor = floor;
    this.#words = seat.words;
  }

  /** Number of the item that it takes next. */
  get number(): number {
    return this.#number;
  }

  /** The byte that it wants next; undefined when that is not known yet. */
  get next(): number | undefined {
    return this.#floor;
  }

  /** The first byte that it gets, if that was not known. */
  begin(offset: number): void {
    this.#floor ??= offset;
  }

  wake(): void {
    this.#wake();
  }

  leave(): void {
    this.#seat.left();
    this.#wake();
  }

  /** The next items, none when these are not for it; undefined when it has fallen out of the ring, or nothing comes any more. */
  async take(signal: AbortSignal): Promise<readonly LogItem[] | undefined> {
    const { ring, takeBytes, isOver, taken, words } = this.#seat;
    if (this.#words !== undefined && words !== undefined) {
      this.#words = undefined;
      return [{ type: 'notice', text: words }];
    }
    while (this.#number === ring.end && !isOver() && !signal.aborted)
      await new Promise<void>((resolve) => (this.#wake = resolve));
    if (signal.aborted || this.#number < ring.first || this.#number === ring.end) return undefined;
    const items = ring.read(this.#number, takeBytes);
    this.#number += items.length;
    taken();
    return items.flatMap((item) => this.#wanted(item));
  }

  #wanted(item: LogItem): readonly LogItem[] {
    if (item.type !== 'frame') return [item];
    const { frame } = item;
    const from = this.#floor ?? 0;
    if (isBefore(frame, from)) return [];
    if (frame.kind !== 'cut' || this.#floor !== undefined) this.#floor = offsetAfter(frame);
    return frame.offset >= from ? [item] : [{ type: 'frame', frame: frameFrom(frame, from) }];
  }
}

function sameStart(a: LogStart, b: LogStart): boolean {
  return a.fromOffset === b.fromOffset && a.tail === b.tail && a.sinceMs === b.sinceMs;
}
