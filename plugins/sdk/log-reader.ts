/**
 * Reads a log by global byte offset while it is being written: whole frames only, at most 64 KiB of data a piece.
 * Readers hold no memory past one piece and never delay the writer; a reader whose segment is cut goes on with the
 * oldest one and is told so by `truncatedBefore`.
 */
import { readFileSync } from 'node:fs';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { ignore } from '../../adapters/durable/if-there.ts';
import { decodeFrame, payloadBytes, type Frame } from './log-frame.ts';
import type { Segment } from './log-scan.ts';
import { MAX_CHUNK_BYTES, type LogWriter } from './log-writer.ts';

export interface LogRequest {
  readonly fromOffset: number;
  readonly follow: boolean;
  /** Only the last n lines before the end; 0 is all. */
  readonly tailLines: number;
}

export interface LogPiece {
  readonly frames: readonly Frame[];
  readonly nextOffset: number;
  /** The log is complete and this is its last piece. */
  readonly end: boolean;
  /** Set in the piece after a cut: older bytes than this are gone. */
  readonly truncatedBefore?: number;
}

/** Room for at least one frame of the largest size. */
const READ_BYTES = 4 * MAX_CHUNK_BYTES;

/** Ends at the log's end mark, without `follow` at what is there now, or when `signal` fires. The last piece is empty. */
export async function* readLog(
  log: LogWriter,
  request: LogRequest,
  signal: AbortSignal,
): AsyncGenerator<LogPiece> {
  const tail = request.tailLines > 0 ? await tailOffset(log, request.tailLines) : 0;
  let nextOffset = Math.max(request.fromOffset, tail);
  /** Not told yet. */
  let cut: number | undefined;
  await using reader = new SegmentReader();
  while (!signal.aborted) {
    const segment = segmentAt(log.segments, nextOffset, reader);
    if (segment !== undefined) {
      if (segment.start > nextOffset) nextOffset = cut = segment.start;
      const frames = await reader.next(segment, nextOffset);
      if (frames.length > 0) {
        nextOffset = endOf(frames);
        yield { frames, nextOffset, end: false, ...truncation(cut) };
        cut = undefined;
      }
      if (frames.length > 0 || !reader.isAtEnd(log.segments)) continue;
    }
    if (log.complete || !request.follow) {
      yield { frames: [], nextOffset, end: log.complete, ...truncation(cut) };
      return;
    }
    await change(log, signal);
  }
}

function truncation(cut: number | undefined): Pick<LogPiece, 'truncatedBefore'> {
  return cut === undefined ? {} : { truncatedBefore: cut };
}

/** All frames of a log that holds at most `mostBytes` of data; undefined when it holds more. */
export function readShortLog(log: LogWriter, mostBytes: number): readonly Frame[] | undefined {
  if (log.end > mostBytes) return undefined;
  const frames: Frame[] = [];
  for (const { file, bytes } of log.segments) collect(readStart(file, bytes), 0, frames);
  return frames;
}

function readStart(file: string, bytes: number): Buffer {
  try {
    return readFileSync(file).subarray(0, bytes);
  } catch (thrown) {
    return ignore('ENOENT', Buffer.alloc(0))(thrown);
  }
}

/** Where to read: on in the segment at hand, else in the one that holds `offset`, else in the oldest. */
function segmentAt(
  segments: readonly Segment[],
  offset: number,
  reader: SegmentReader,
): Segment | undefined {
  const at = segments.findIndex((segment) => segment.file === reader.file);
  const current = segments[at];
  if (current !== undefined)
    return reader.hasMore(current) ? current : (segments[at + 1] ?? current);
  return segments.findLast((segment) => segment.start <= offset) ?? segments[0];
}

function endOf(frames: readonly Frame[]): number {
  const last = frames.at(-1);
  return last === undefined ? 0 : last.offset + payloadBytes(last);
}

function change(log: LogWriter, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      stop();
      signal.removeEventListener('abort', go);
      resolve();
    };
    const stop = log.onChange(go);
    signal.addEventListener('abort', go, { once: true });
  });
}

/** One open segment file and the place in it. */
class SegmentReader {
  #handle: FileHandle | undefined;
  #position = 0;
  file = '';

  hasMore(segment: Segment): boolean {
    return this.#position < segment.bytes;
  }

  isAtEnd(segments: readonly Segment[]): boolean {
    const last = segments.at(-1);
    return last === undefined || (last.file === this.file && !this.hasMore(last));
  }

  /**
   * The next frames with data from `fromOffset` on; none when there are none (yet). What a lost or damaged file still
   * held is skipped; the next segment's offset then tells of the hole.
   */
  async next(segment: Segment, fromOffset: number): Promise<readonly Frame[]> {
    if (segment.file !== this.file) await this.#open(segment.file);
    if (this.#handle === undefined) this.#position = segment.bytes;
    const found: Frame[] = [];
    while (this.#handle !== undefined && found.length === 0 && this.hasMore(segment)) {
      const want = Math.min(READ_BYTES, segment.bytes - this.#position);
      const { buffer, bytesRead } = await this.#handle.read(
        Buffer.alloc(want),
        0,
        want,
        this.#position,
      );
      const consumed = collect(buffer.subarray(0, bytesRead), fromOffset, found);
      this.#position = consumed === 0 ? segment.bytes : this.#position + consumed;
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #open(file: string): Promise<void> {
    await this[Symbol.asyncDispose]();
    this.#handle = await open(file, 'r').catch(ignore('ENOENT', undefined));
    this.#position = 0;
    this.file = file;
  }
}

/** Adds frames up to one piece's worth of data; answers how many bytes of the file it took. */
function collect(bytes: Buffer, fromOffset: number, found: Frame[]): number {
  let position = 0;
  let size = 0;
  for (let next = decodeFrame(bytes); next !== undefined; next = decodeFrame(bytes, position)) {
    const frame = from(next.frame, fromOffset);
    if (frame !== undefined && size > 0 && size + frame.data.length > MAX_CHUNK_BYTES) break;
    position += next.length;
    if (frame === undefined) continue;
    size += frame.data.length;
    found.push(frame);
  }
  return position;
}

/** The part of a frame that lies at or behind an offset. */
function from(frame: Frame, offset: number): Frame | undefined {
  if (frame.kind === 'end' || frame.offset + frame.data.length <= offset) return undefined;
  if (frame.offset >= offset) return frame;
  return { ...frame, offset, data: frame.data.subarray(offset - frame.offset) };
}

/** Offset at which the last `lines` lines begin; 0 when there are not that many, so that a reader is told of a cut. */
async function tailOffset(log: LogWriter, lines: number): Promise<number> {
  let starts: number[] = [];
  for (const segment of log.segments.toReversed()) {
    const bytes = await readFile(segment.file).catch(ignore('ENOENT', Buffer.alloc(0)));
    starts = [...lineStarts(bytes.subarray(0, segment.bytes), log.end), ...starts];
    if (starts.length >= lines) return starts.at(-lines) ?? 0;
  }
  return 0;
}

/** Offsets that follow a newline, but for the one at the very end. */
function lineStarts(bytes: Buffer, end: number): number[] {
  const starts: number[] = [];
  let position = 0;
  for (let next = decodeFrame(bytes); next !== undefined; next = decodeFrame(bytes, position)) {
    position += next.length;
    const { data, offset, kind } = next.frame;
    if (kind === 'end') continue;
    for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1))
      if (offset + at + 1 < end) starts.push(offset + at + 1);
  }
  return starts;
}
