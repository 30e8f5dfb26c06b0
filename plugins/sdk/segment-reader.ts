/** Reads the frames of one segment file front to back while it is being written. */
import { open, type FileHandle } from 'node:fs/promises';
import { ignore } from '../../adapters/durable/if-there.ts';
import { FrameWalk } from './frame-walk.ts';
import type { Frame } from './log-frame.ts';
import type { Segment } from './segment.ts';

const READ_BYTES = 256 * 1024;
/** What a frame takes beside its data, on its way and in memory. */
const FRAME_BYTES = 32;

/** A frame of a segment file. */
export interface FramePlace {
  readonly file: string;
  /** Where it begins in the file. */
  readonly position: number;
  readonly offset: number;
}

export interface Wanted {
  /** Together at most so many bytes, unless a single frame has more. */
  readonly mostBytes: number;
  /** What lies before this offset may be left out. It must not fall. */
  readonly from?: number;
}

export class SegmentReader implements AsyncDisposable {
  readonly #first: FramePlace | undefined;
  #handle: FileHandle | undefined;
  #walk = new FrameWalk({ start: 0, salt: 0 });
  #position = 0;
  /** Frames that were found and not given out. */
  #held: Frame | undefined;
  file = '';

  /** `first`: where to begin in its file. */
  constructor(first?: FramePlace) {
    this.#first = first;
  }

  /** The file was there when its reading began. */
  get isThere(): boolean {
    return this.#handle !== undefined;
  }

  /** Something of the segment has not been looked at. */
  hasMore(segment: Segment): boolean {
    return segment.file !== this.file || this.#held !== undefined || this.#position < segment.bytes;
  }

  /** None when there are none for now. */
  async next(segment: Segment, { mostBytes, from = 0 }: Wanted): Promise<readonly Frame[]> {
    if (segment.file !== this.file) await this.#open(segment, from);
    const found: Frame[] = [];
    for (let size = 0; ;) {
      const frame = this.#held ?? this.#walk.next(this.#position >= segment.bytes);
      this.#held = undefined;
      if (frame === undefined) {
        if (found.length > 0 || !(await this.#read(segment))) return found;
        continue;
      }
      size += frame.data.length + FRAME_BYTES;
      if (found.length > 0 && size > mostBytes) {
        this.#held = frame;
        return found;
      }
      found.push(frame);
    }
  }

  /** Bytes of the file, from where it was begun, up to the end of the last frame that was found. */
  get whole(): number {
    return this.#walk.whole;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #open({ file, start, salt }: Segment, from: number): Promise<void> {
    await this[Symbol.asyncDispose]();
    this.#handle = await open(file, 'r').catch(ignore('ENOENT', undefined));
    const first = file === this.#first?.file ? this.#first : { position: 0, offset: start };
    this.#walk = new FrameWalk({ start: first.offset, salt, wanted: from });
    this.#position = first.position;
    this.#held = undefined;
    this.file = file;
  }

  /** False when there is nothing more. What was given out stays as it is: each read has memory of its own. */
  async #read({ bytes }: Segment): Promise<boolean> {
    const { rest } = this.#walk;
    const want = Math.min(READ_BYTES, bytes - this.#position);
    if (want <= 0) return false;
    const room = Buffer.allocUnsafe(rest.length + want);
    rest.copy(room);
    const read = await this.#handle?.read(room, rest.length, want, this.#position);
    const count = read?.bytesRead ?? 0;
    // A file that is shorter than it was, or gone: nothing of the rest will come.
    this.#position = count === 0 ? bytes : this.#position + count;
    this.#walk.feed(room.subarray(0, rest.length + count));
    return true;
  }
}
