/**
 * The log of one execution: `<logs dir>/<execution id>/<global offset, 16 digits>-<salt>.log`, one file per segment, oldest
 * segments cut when there are too many. The last whole frame is the only cursor:
 *
 *   open    read the last segment, remember the last frame of each run in it, the end offset and where whole frames end
 *   append  the first append cuts a torn tail; each frame goes out in one write; a full segment is followed by a new one
 *   end     an end mark with its reason closes a run; the next run of the execution goes on behind it
 *
 * One process writes at a time. Not fsynced frame by frame: after a power loss the source is read again from the last
 * whole frame; `sync` is called before the source may be deleted.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { removeFolder, syncFile, syncFolder } from '../../adapters/durable/folders.ts';
import { ignore } from '../../adapters/durable/if-there.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { encodeFrame, frameLength, MAX_CURSOR_BYTES, type Frame } from './log-frame.ts';
import { LogState, scanLog } from './log-scan.ts';
import { segmentName, type Segment } from './segment.ts';
import type { LogChunk } from './types.ts';

export interface LogLimits {
  readonly segmentBytes: number;
  readonly segments: number;
}

/** A chunk is one frame, so that its cursor is true whenever its bytes are there. */
export const MAX_CHUNK_BYTES = 64 * 1024;

/** 100 MiB in 10 segments. */
export const LOG_LIMITS: LogLimits = { segmentBytes: 10 * 1024 * 1024, segments: 10 };

export class LogWriter {
  readonly folder: string;
  readonly #limits: LogLimits;
  readonly #readers = new Set<() => void>();
  #state = new LogState();
  #fd: number | undefined;
  /** Segments that are on disk and are not written any more. */
  #durable: ReadonlySet<string> = new Set();

  private constructor(folder: string, limits: LogLimits) {
    this.folder = folder;
    this.#limits = limits;
  }

  /** Opens what is there (nothing is fine); writes nothing. */
  static async open(folder: string, limits: LogLimits = LOG_LIMITS): Promise<LogWriter> {
    const log = new LogWriter(folder, limits);
    await log.refresh();
    return log;
  }

  /**
   * Looks again at what is on disk, unless this writer has written: another plugin instance may have been the writer
   * until now.
   */
  async refresh(): Promise<void> {
    if (this.#fd !== undefined) return;
    const found = await scanLog(this.folder);
    if (this.#fd !== undefined) return;
    this.#state = found;
    this.#tell();
  }

  get executionId(): string {
    return basename(this.folder);
  }

  /** Global offset after the last data byte. */
  get end(): number {
    return this.#state.end;
  }

  /** Oldest first; what `readLog` walks through. */
  get segments(): readonly Segment[] {
    return this.#state.segments;
  }

  /** It was deleted: what readers have not got they never will. */
  get removed(): boolean {
    return this.#state.removed;
  }

  /** The log ends with an end mark: nothing follows unless the execution is run again. */
  get complete(): boolean {
    return this.#state.complete;
  }

  /** Where the source of this run goes on; '' is its very start. */
  cursorOf(run: number): string {
    return this.#state.runs.get(run)?.cursor ?? '';
  }

  /** A run that a later one has followed has ended, even if its frames are cut by now. */
  hasEnded(run: number): boolean {
    return this.#state.runs.get(run)?.ended ?? run < Math.max(...this.#state.runs.keys());
  }

  append(run: number, chunk: LogChunk): void {
    const { stream, timeMs, cursor, data } = chunk;
    if (data.length > MAX_CHUNK_BYTES)
      throw new LimpetError('too-large', `a log chunk has ${data.length} bytes; at most 64 KiB`);
    if (cursor.length > MAX_CURSOR_BYTES / 3 && Buffer.byteLength(cursor) > MAX_CURSOR_BYTES)
      throw new LimpetError('too-large', 'the cursor of a log chunk has more than 8 KiB');
    this.#write({ kind: stream, run, timeMs, offset: this.#state.end, cursor, data });
  }

  /** Closes a run's part of the log. */
  markEnd(run: number, reason: string): void {
    const cursor = this.cursorOf(run);
    const data = Buffer.from(reason);
    this.#write({ kind: 'end', run, timeMs: Date.now(), offset: this.#state.end, cursor, data });
  }

  /** Calls back after each frame; answers the way to stop. */
  onChange(listener: () => void): () => void {
    this.#readers.add(listener);
    return () => this.#readers.delete(listener);
  }

  /** Makes everything written so far durable. */
  async sync(): Promise<void> {
    const { segments } = this.#state;
    if (segments.length === 0) return;
    const full = new Set(segments.slice(0, -1).map(({ file }) => file));
    for (const { file } of [...segments])
      if (!this.#durable.has(file)) await syncFile(file).catch(ignore('ENOENT', undefined));
    await syncFolder(this.folder);
    await syncFolder(dirname(this.folder));
    this.#durable = full;
  }

  /** Twice is the same as once; a later append opens it again. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Deletes the log; readers are told. */
  async discard(): Promise<void> {
    this.close();
    this.#state = new LogState();
    this.#state.removed = true;
    this.#tell();
    await removeFolder(this.folder);
  }

  #write(frame: Frame): void {
    const { segments } = this.#state;
    try {
      const { fd, segment } = this.#place(frameLength(frame));
      const bytes = encodeFrame(frame, segment.salt);
      writeWhole(fd, bytes);
      segments[segments.length - 1] = { ...segment, bytes: segment.bytes + bytes.length };
    } catch (thrown) {
      this.close();
      const message = `the log ${this.folder} cannot be written: ${messageOf(thrown)}`;
      throw new LimpetError('store-failed', message, { cause: thrown });
    }
    this.#state.take(frame);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#readers) listener();
  }

  /** The file that takes the next frame: a new segment when the last is full. */
  #place(length: number): { readonly fd: number; readonly segment: Segment } {
    for (const file of this.#state.leftovers.splice(0)) rmSync(file, { force: true });
    const last = this.#state.segments.at(-1);
    const full =
      last !== undefined && last.bytes > 0 && last.bytes + length > this.#limits.segmentBytes;
    if (last === undefined || full) return this.#startSegment();
    if (this.#fd === undefined) {
      this.#fd = openSync(last.file, 'a', 0o600);
      ftruncateSync(this.#fd, last.bytes);
    }
    return { fd: this.#fd, segment: last };
  }

  /** Opens the next segment, cutting the oldest. */
  #startSegment(): { readonly fd: number; readonly segment: Segment } {
    this.close();
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const named = { start: this.#state.end, salt: randomBytes(4).readUInt32BE() };
    const file = join(this.folder, segmentName(named));
    this.#fd = openSync(file, 'w', 0o600);
    const segment = { ...named, file, bytes: 0 };
    this.#state.segments.push(segment);
    while (this.#state.segments.length > this.#limits.segments) {
      const oldest = this.#state.segments.shift();
      if (oldest !== undefined) rmSync(oldest.file, { force: true });
    }
    return { fd: this.#fd, segment };
  }
}

/** A short write is finished or, when that fails, cut at the next open. */
function writeWhole(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
}
