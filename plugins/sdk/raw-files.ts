/** The raw output of a held run, its files `stdout` and `stderr`, and how far it was taken. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { ignore } from '../../adapters/durable/if-there.ts';
import type { Pace } from './folder-bell.ts';
import { LOG_LIMITS, MAX_CHUNK_BYTES } from './log-writer.ts';
import type { FullDisk } from './raw-full.ts';
import type { RawPositions } from './raw-taken.ts';
import type { LogChunk } from './types.ts';

/** How long an unfinished line is held back. */
const PARTIAL_LINE_MS = 200;
const NEWLINE = 10;
/** What the log keeps. */
const KEPT_BYTES = LOG_LIMITS.segmentBytes * LOG_LIMITS.segments;
/** With more than this waiting, what the log would have to cut again is not carried into it. */
const MOST_WAITING_BYTES = 256 * 1024 * 1024;

export type RawName = 'stdout' | 'stderr';

/** Where a file can be read that is not in the folder (any more). Answers undefined: nowhere now. */
export type Elsewhere = (name: RawName) => string | undefined;

export class RawFiles implements Disposable {
  readonly #files: readonly [RawFile, RawFile];
  #timeMs = 0;

  constructor(folder: string, elsewhere: Elsewhere | undefined, from: RawPositions) {
    const file = (name: RawName) => {
      const place = join(folder, name);
      const find = () => (existsSync(place) ? place : elsewhere?.(name));
      return new RawFile(name, find, from[name]);
    };
    this.#files = [file('stdout'), file('stderr')];
  }

  /** Taken of both together. */
  get bytes(): number {
    return this.#files[0].position + this.#files[1].position;
  }

  /** The cursor. */
  get position(): string {
    return this.#files.map(({ position }) => position).join(':');
  }

  get pace(): Pace | undefined {
    return this.#files[0].pace ?? this.#files[1].pace;
  }

  /** At most one chunk of each file, from before its disk was full. `ended`: nothing more is written to them. */
  *next(ended: boolean, full: FullDisk): Generator<LogChunk> {
    for (const file of this.#files) {
      const waiting = file.waiting(full.sizeOf(file.name));
      const skipped = file.catchUp(waiting);
      if (skipped > 0) yield gapOf(leftOut(skipped, file.name), this.position);
      const data = file.next(ended, waiting - skipped);
      if (data === undefined) continue;
      this.#timeMs = Math.min(Date.now(), Math.max(this.#timeMs, file.writtenMs));
      yield { stream: file.name, timeMs: this.#timeMs, data, cursor: this.position };
    }
  }

  /** All is taken that was printed before the disk was full. An unfinished line may be held back for a while. */
  haveReached(full: FullDisk): boolean {
    return this.#files.every((file) => file.position >= full.sizeOf(file.name));
  }

  [Symbol.dispose](): void {
    for (const file of this.#files) file[Symbol.dispose]();
  }
}

/** Tells people what is missing. */
export function gapOf(text: string, cursor: string): LogChunk {
  return { stream: 'gap', timeMs: Date.now(), data: Buffer.from(text), cursor };
}

function leftOut(bytes: number, name: RawName): string {
  return `${bytes} bytes of ${name} are left out here: more was waiting than the log keeps`;
}

/** One raw file and the bytes of it that were taken. */
class RawFile implements Disposable {
  readonly name: RawName;
  readonly #place: () => string | undefined;
  #fd: number | undefined;
  #partialSince: number | undefined;
  #isDeleted = false;
  position: number;
  /** When something was last written to it: what it has now is not younger. */
  writtenMs = 0;

  constructor(name: RawName, place: () => string | undefined, position: number) {
    this.name = name;
    this.#place = place;
    this.position = position;
  }

  /** Soon: an unfinished line waits for its end. Often: the file is deleted, what is written to it rings no bell. */
  get pace(): Pace | undefined {
    if (this.#partialSince !== undefined) return 'soon';
    return this.#isDeleted ? 'often' : undefined;
  }

  /**
   * Work may print faster than anybody reads. What lies further back than the log keeps is skipped, up to the beginning of a
   * line if there is one near; answers how many bytes.
   */
  catchUp(waiting: number): number {
    if (this.#fd === undefined || waiting <= MOST_WAITING_BYTES) return 0;
    const from = this.position + waiting - KEPT_BYTES;
    const near = Buffer.allocUnsafe(MAX_CHUNK_BYTES);
    const bytesRead = readSync(this.#fd, near, 0, near.length, from);
    const skipped = from + near.subarray(0, bytesRead).indexOf(NEWLINE) + 1 - this.position;
    this.position += skipped;
    this.#partialSince = undefined;
    return skipped;
  }

  /** The next of the bytes that wait, up to the end of a line; undefined when there is nothing to give now. */
  next(ended: boolean, waiting: number): Uint8Array | undefined {
    if (this.#fd === undefined || waiting <= 0) return undefined;
    const room = Buffer.allocUnsafe(Math.min(waiting, MAX_CHUNK_BYTES));
    const bytesRead = readSync(this.#fd, room, 0, room.length, this.position);
    if (bytesRead === 0) return undefined;
    const take = this.#cut(room.subarray(0, bytesRead), ended);
    if (take === 0) return undefined;
    this.#partialSince = undefined;
    this.position += take;
    return room.subarray(0, take);
  }

  /** Bytes before `until` that were not taken yet. */
  waiting(until: number): number {
    // Not by way of the thread pool: most looks find nothing, and what there is has just been written.
    this.#fd ??= this.#open();
    if (this.#fd === undefined) return 0;
    const { size, nlink, mtimeMs } = fstatSync(this.#fd);
    this.#isDeleted = nlink === 0;
    this.writtenMs = Math.floor(mtimeMs);
    return Math.min(size, until) - this.position;
  }

  #open(): number | undefined {
    const place = this.#place();
    if (place === undefined) return undefined;
    try {
      return openSync(place, 'r');
    } catch (thrown) {
      return ignore('ENOENT', undefined)(thrown);
    }
  }

  /** How many bytes to give: whole lines; all when there is no hope of one, 0 to wait a little for the line's end. */
  #cut(bytes: Buffer, ended: boolean): number {
    const lines = bytes.lastIndexOf(NEWLINE) + 1;
    if (lines > 0) return lines;
    if (ended || bytes.length === MAX_CHUNK_BYTES) return bytes.length;
    this.#partialSince ??= performance.now();
    return performance.now() - this.#partialSince >= PARTIAL_LINE_MS ? bytes.length : 0;
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
