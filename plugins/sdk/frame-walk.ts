/**
 * Takes the frames out of the bytes of one segment, front to back, and passes over what is damaged: a frame whose head holds
 * is left out by its length, else the next head is looked for. A frame counts only where its offset can be true.
 */
import {
  frameOf,
  headAt,
  HEAD_BYTES,
  MAGIC_BYTES,
  payloadBytes,
  type Frame,
  type FrameHead,
} from './log-frame.ts';

export interface Walked {
  /** Global offset of the first data byte that follows. */
  readonly start: number;
  /** Of the file. */
  readonly salt: number;
  /** What lies before this offset is not given, and not checked beyond its head. */
  readonly wanted?: number;
}

export class FrameWalk {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Global offset that the next frame has when nothing is missing. */
  #expected: number;
  /** Bytes of the file that belong to no frame, since the last frame. */
  #skipped = 0;
  #walked = 0;
  #whole = 0;
  readonly #salt: number;
  readonly #wanted: number;

  constructor({ start, salt, wanted = 0 }: Walked) {
    this.#expected = start;
    this.#salt = salt;
    this.#wanted = wanted;
  }

  /** Bytes of the file up to the end of the last frame. */
  get whole(): number {
    return this.#whole;
  }

  /** Bytes that no frame was made of yet. */
  get rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  /** `bytes` begins with `rest`; what was given before is not needed any more. */
  feed(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#at = 0;
  }

  /** undefined when more bytes are needed; `isAll`: there are none for now. */
  next(isAll: boolean): Frame | undefined {
    for (;;) {
      const head = headAt(this.#bytes, this.#at, this.#salt);
      if (head === 'short' && !(isAll && this.#holdsMore())) return undefined;
      if (head === 'short' || head === undefined || !this.#canBe(head)) {
        this.#skip(this.#toNextHead());
        continue;
      }
      if (this.#bytes.length - this.#at < head.length) return undefined;
      const isWanted = head.offset + head.dataBytes > this.#wanted;
      const frame = isWanted ? frameOf(this.#bytes, head) : undefined;
      if (frame === undefined && isWanted) this.#skip(head.length);
      else this.#take(head);
      if (frame !== undefined) return frame;
    }
  }

  /** A head with a cursor that reaches too far may be damaged, and whole frames may follow. */
  #holdsMore(): boolean {
    return this.#bytes.length - this.#at >= HEAD_BYTES;
  }

  #canBe({ offset }: FrameHead): boolean {
    return offset >= this.#expected && offset - this.#expected <= this.#skipped;
  }

  #take(head: FrameHead): void {
    this.#at += head.length;
    this.#walked += head.length;
    this.#whole = this.#walked;
    this.#skipped = 0;
    this.#expected = head.offset + payloadBytes(head);
  }

  #skip(length: number): void {
    this.#at += length;
    this.#walked += length;
    this.#skipped += length;
  }

  #toNextHead(): number {
    const found = this.#bytes.indexOf(MAGIC_BYTES, this.#at + 1);
    if (found !== -1) return found - this.#at;
    return Math.max(1, this.#bytes.length - this.#at - MAGIC_BYTES.length + 1);
  }
}
