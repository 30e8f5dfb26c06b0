/** Reads the frames of one segment file from its end towards its beginning, each by the length that stands behind it. */
import { closeSync, openSync, readSync } from 'node:fs';
import { ignore } from '../../adapters/durable/if-there.ts';
import type { Segment } from './segment.ts';
import { FOOT_BYTES, frameOf, HEAD_BYTES, headAt, type Frame } from './log-frame.ts';

const READ_BYTES = 128 * 1024;

export class SegmentTail implements Disposable {
  readonly #fd: number | undefined;
  /** The bytes of the file from `#from` on. */
  #bytes: Buffer = Buffer.alloc(0);
  #from = 0;
  #end: number;
  readonly #salt: number;

  /** A file that is gone has no frames. */
  constructor({ file, bytes, salt }: Segment) {
    this.#end = bytes;
    this.#salt = salt;
    try {
      this.#fd = openSync(file, 'r');
    } catch (thrown) {
      this.#fd = ignore('ENOENT', undefined)(thrown);
    }
  }

  /** Where the frames end that were not given yet; 0 when all were. */
  get end(): number {
    return this.#end;
  }

  /** undefined at the beginning of the file, and where what lies before is no whole frame. */
  previous(): Frame | undefined {
    if (!this.#load(FOOT_BYTES)) return undefined;
    const length = this.#bytes.readUInt32BE(this.#end - FOOT_BYTES - this.#from);
    if (length < HEAD_BYTES + FOOT_BYTES || !this.#load(length)) return undefined;
    const bytes = this.#bytes.subarray(0, this.#end - this.#from);
    const head = headAt(bytes, bytes.length - length, this.#salt);
    if (head === undefined || head === 'short' || head.length !== length) return undefined;
    const frame = frameOf(bytes, head);
    if (frame !== undefined) this.#end -= length;
    return frame;
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }

  /** True when the bytes just before the end are in memory. */
  #load(count: number): boolean {
    if (this.#fd === undefined || count > this.#end) return false;
    if (this.#end - count >= this.#from && this.#bytes.length > 0) return true;
    this.#from = Math.max(0, this.#end - Math.max(count, READ_BYTES));
    const room = Buffer.allocUnsafe(this.#end - this.#from);
    const read = readSync(this.#fd, room, 0, room.length, this.#from);
    this.#bytes = room.subarray(0, read);
    return read === room.length;
  }
}
