/**
 * The log of one execution: `<logs dir>/<execution id>/<global offset, 16 digits>.log`, one file per segment, oldest
 * segments cut when there are too many. The last whole frame is the only cursor:
 *
 *   open    read the last segment, remember the last frame of each run in it, the end offset and where whole frames end
 *   append  the first append cuts a torn tail; each frame goes out in one write; a full segment is followed by a new one
 *   end     an end mark with its reason closes a run; the next run of the execution goes on behind it
 *
 * One process writes at a time. Not fsynced frame by frame: after a power loss the source is read again from the last
 * whole frame; `sync` is called before the source may be deleted.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { ignore, removeFolder, syncFolder } from './durable-file.ts';
import { decodeFrame, encodeFrame, payloadBytes, type Frame } from './log-frame.ts';
import type { LogChunk } from './types.ts';

export interface LogLimits {
  readonly segmentBytes: number;
  readonly segments: number;
}

/** A chunk is one frame, so that its cursor is true whenever its bytes are there. */
export const MAX_CHUNK_BYTES = 64 * 1024;

/** 100 MiB in 10 segments. */
export const LOG_LIMITS: LogLimits = { segmentBytes: 10 * 1024 * 1024, segments: 10 };

export interface Segment {
  readonly file: string;
  /** Global offset of its first data byte. */
  readonly start: number;
  /** Bytes of whole frames in the file. */
  readonly bytes: number;
}

interface RunMark {
  readonly cursor: string;
  readonly ended: boolean;
}

export class LogWriter {
  readonly folder: string;
  readonly #limits: LogLimits;
  readonly #readers = new Set<() => void>();
  readonly #runs = new Map<number, RunMark>();
  #segments: Segment[] = [];
  /** Segment files without a whole frame, deleted before the next write. */
  #leftovers: string[] = [];
  #end = 0;
  #lastIsEnd = false;
  #fd: number | undefined;

  private constructor(folder: string, limits: LogLimits) {
    this.folder = folder;
    this.#limits = limits;
  }

  /** Opens what is there (nothing is fine); writes nothing. */
  static async open(folder: string, limits: LogLimits = LOG_LIMITS): Promise<LogWriter> {
    const log = new LogWriter(folder, limits);
    await log.#load();
    return log;
  }

  /** Global offset after the last data byte. */
  get end(): number {
    return this.#end;
  }

  /** Oldest first; what `readLog` walks through. */
  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** The log ends with an end mark: nothing follows unless the execution is run again. */
  get complete(): boolean {
    return this.#lastIsEnd;
  }

  /** Where the source of this run goes on; '' is its very start. */
  cursorOf(run: number): string {
    return this.#runs.get(run)?.cursor ?? '';
  }

  /** A run that a later one has followed has ended, even if its frames are cut by now. */
  hasEnded(run: number): boolean {
    return this.#runs.get(run)?.ended ?? run < Math.max(...this.#runs.keys());
  }

  append(run: number, chunk: LogChunk): void {
    const { stream, timeMs, cursor, data } = chunk;
    if (data.length > MAX_CHUNK_BYTES)
      throw new LimpetError('too-large', `a log chunk has ${data.length} bytes; at most 64 KiB`);
    this.#write({ kind: stream, run, timeMs, offset: this.#end, cursor, data });
  }

  /** Closes a run's part of the log. */
  markEnd(run: number, reason: string): void {
    const cursor = this.cursorOf(run);
    const data = Buffer.from(reason);
    this.#write({ kind: 'end', run, timeMs: Date.now(), offset: this.#end, cursor, data });
  }

  /** Calls back after each frame; answers the way to stop. */
  onChange(listener: () => void): () => void {
    this.#readers.add(listener);
    return () => this.#readers.delete(listener);
  }

  /** Makes everything written so far durable. */
  async sync(): Promise<void> {
    if (this.#segments.length === 0) return;
    for (const { file } of this.#segments) {
      const handle = await open(file, 'r').catch(ignore('ENOENT', undefined));
      await handle?.sync().finally(() => handle.close());
    }
    await syncFolder(this.folder);
    await syncFolder(dirname(this.folder));
  }

  /** Twice is the same as once; a later append opens it again. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Deletes the log; readers see its end. */
  async discard(): Promise<void> {
    this.close();
    this.#segments = [];
    this.#lastIsEnd = true;
    for (const listener of this.#readers) listener();
    await removeFolder(this.folder);
  }

  async #load(): Promise<void> {
    const names = await readdir(this.folder).catch(ignore('ENOENT', []));
    for (const name of names.filter((name) => /^\d{16}\.log$/.test(name)).sort()) {
      const file = join(this.folder, name);
      this.#segments.push({
        file,
        start: Number(name.slice(0, 16)),
        bytes: (await stat(file)).size,
      });
    }
    for (let last = this.#segments.pop(); last !== undefined; last = this.#segments.pop()) {
      const segment = await this.#scan(last);
      if (segment.bytes > 0) {
        this.#segments.push(segment);
        return;
      }
      this.#leftovers.push(segment.file);
    }
  }

  /** Takes over the frames of one segment; answers it with the length of its whole frames. */
  async #scan(segment: Segment): Promise<Segment> {
    const bytes = await readFile(segment.file);
    let position = 0;
    this.#end = segment.start;
    for (let next = decodeFrame(bytes); next !== undefined; next = decodeFrame(bytes, position)) {
      position += next.length;
      this.#take(next.frame);
    }
    return { ...segment, bytes: position };
  }

  #take(frame: Frame): void {
    this.#end = frame.offset + payloadBytes(frame);
    this.#lastIsEnd = frame.kind === 'end';
    this.#runs.set(frame.run, { cursor: frame.cursor, ended: this.#lastIsEnd });
  }

  #write(frame: Frame): void {
    const bytes = encodeFrame(frame);
    try {
      this.#writeWhole(this.#place(bytes.length), bytes);
    } catch (thrown) {
      this.close();
      throw new LimpetError(
        'store-failed',
        `the log ${this.folder} cannot be written: ${messageOf(thrown)}`,
        {
          cause: thrown,
        },
      );
    }
    const last = this.#segments.length - 1;
    const segment = this.#segments[last];
    if (segment !== undefined)
      this.#segments[last] = { ...segment, bytes: segment.bytes + bytes.length };
    this.#take(frame);
    for (const listener of this.#readers) listener();
  }

  /** A short write is finished or, when that fails, cut at the next open. */
  #writeWhole(fd: number, bytes: Buffer): void {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
  }

  /** The file that takes the next frame: a new segment when the last is full. */
  #place(length: number): number {
    for (const file of this.#leftovers.splice(0)) rmSync(file, { force: true });
    const last = this.#segments.at(-1);
    const full =
      last !== undefined && last.bytes > 0 && last.bytes + length > this.#limits.segmentBytes;
    if (last === undefined || full) return this.#startSegment();
    if (this.#fd === undefined) {
      this.#fd = openSync(last.file, 'a', 0o600);
      ftruncateSync(this.#fd, last.bytes);
    }
    return this.#fd;
  }

  /** Opens the next segment, cutting the oldest. */
  #startSegment(): number {
    this.close();
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const file = join(this.folder, `${String(this.#end).padStart(16, '0')}.log`);
    this.#fd = openSync(file, 'w', 0o600);
    this.#segments.push({ file, start: this.#end, bytes: 0 });
    while (this.#segments.length > this.#limits.segments) {
      const oldest = this.#segments.shift();
      if (oldest !== undefined) rmSync(oldest.file, { force: true });
    }
    return this.#fd;
  }
}
