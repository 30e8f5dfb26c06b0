/**
 * Reads a log by global byte offset while it is being written: whole frames only, at most 256 KiB a piece. Readers hold no
 * memory past two pieces and never delay the writer. What is not there any more comes as a hole with its true offsets:
 *
 *   retention   the oldest segments were cut; the reader goes on with the oldest that is left
 *   damage      frames that are not what was written, or a segment file that is gone
 *
 * A log that is deleted under its reader (by Remove, or with its folder by the agent's housekeeping) is no end: the reader
 * gets `not-found`. So whoever serves a log can tell one that is `finished` (a last piece with `end`) from one that is gone.
 */
import { existsSync, readFileSync } from 'node:fs';
import { ignore } from '../../adapters/durable/if-there.ts';
import { LimpetError } from '../../core/errors.ts';
import { FrameWalk } from './frame-walk.ts';
import type { Frame } from './log-frame.ts';
import type { Segment } from './segment.ts';
import { sinceOffset, tailStart, type Start } from './log-start.ts';
import type { LogWriter } from './log-writer.ts';
import { SegmentReader } from './segment-reader.ts';

export interface LogRequest {
  readonly fromOffset: number;
  readonly follow: boolean;
  /** Only the last n lines before the end; 0 is all. */
  readonly tailLines: number;
  /** Only from the first frame of this time on, ms since the epoch; 0 is all. */
  readonly sinceMs: number;
}

/** Bytes `from` to `to` (exclusive) are not there. */
export interface Hole {
  readonly from: number;
  readonly to: number;
  readonly cause: 'retention' | 'damage';
}

export interface LogPiece {
  /** None in a piece that tells of a hole. */
  readonly frames: readonly Frame[];
  readonly nextOffset: number;
  /** The log is complete and this is its last piece. */
  readonly end: boolean;
  readonly hole?: Hole;
}

const PIECE_BYTES = 256 * 1024;

/**
 * Ends at the log's end mark, without `follow` at what is there now, or when `signal` fires. The last piece is empty.
 * Errors: `not-found` when the log was deleted meanwhile.
 */
export async function* readLog(
  log: LogWriter,
  request: LogRequest,
  signal: AbortSignal,
): AsyncGenerator<LogPiece> {
  const start = await startOf(log, request);
  const place = new Place(start.offset, start.sinceMs);
  await using reader = new SegmentReader(start.at);
  while (!signal.aborted) {
    const segment = segmentAt(log.segments, place.next, reader);
    if (segment !== undefined) {
      const isOldest = segment === log.segments[0];
      yield* place.jump(segment.start, isOldest ? 'retention' : 'damage');
      const frames = await reader.next(segment, { mostBytes: PIECE_BYTES, from: place.next });
      if (!reader.isThere) checkThere(log);
      yield* place.pieces(frames);
      if (frames.length > 0 || !isAtEnd(log.segments, reader)) continue;
    }
    if (log.removed) throw gone(log);
    if (log.complete || !request.follow) {
      yield* place.jump(log.end, 'damage');
      yield* place.tell();
      yield { frames: [], nextOffset: place.next, end: log.complete };
      return;
    }
    await change(log, signal);
  }
}

/** `sinceMs`: nothing is given before the first frame of that time; 0 when a frame of it may be given already. */
async function startOf(
  log: LogWriter,
  { fromOffset, tailLines, sinceMs }: LogRequest,
): Promise<Start & { readonly sinceMs: number }> {
  const tail = tailLines > 0 ? await tailStart(log, tailLines) : { offset: 0 };
  const since = sinceMs > 0 ? sinceOffset(log, sinceMs) : 0;
  const later = Math.max(fromOffset, since);
  const start = tail.offset >= later ? tail : { offset: later };
  return { ...start, sinceMs: fromOffset > since ? 0 : sinceMs };
}

/** How far a reader has got. */
class Place {
  next: number;
  #sinceMs: number;
  /** A hole that matters only if what follows it is wanted. */
  #untold: Hole | undefined;

  constructor(next: number, sinceMs: number) {
    this.next = next;
    this.#sinceMs = sinceMs;
  }

  /** Goes on at `to`, if that lies ahead, and tells what is left out. */
  *jump(to: number, cause: Hole['cause']): Generator<LogPiece> {
    const from = this.next;
    if (to <= from) return;
    this.next = to;
    this.#untold = { from, to, cause };
    if (this.#sinceMs === 0) yield* this.tell();
  }

  /** The hole just before the next byte. */
  *tell(): Generator<LogPiece> {
    const hole = this.#untold;
    this.#untold = undefined;
    if (hole !== undefined) yield { frames: [], nextOffset: hole.to, end: false, hole };
  }

  /** What is wanted of frames that follow each other. */
  *pieces(found: readonly Frame[]): Generator<LogPiece> {
    let frames: Frame[] = [];
    for (const whole of found) {
      if (whole.offset > this.next) {
        if (frames.length > 0) yield { frames, nextOffset: this.next, end: false };
        frames = [];
        yield* this.jump(whole.offset, 'damage');
      }
      const frame = this.#part(whole);
      if (frame === undefined) continue;
      yield* this.tell();
      frames.push(frame);
    }
    if (frames.length > 0) yield { frames, nextOffset: this.next, end: false };
  }

  #part(frame: Frame): Frame | undefined {
    const { offset, kind, data, timeMs, run } = frame;
    const from = this.next;
    if (kind === 'end' || offset + data.length <= from) return undefined;
    this.next = offset + data.length;
    if (timeMs < this.#sinceMs) {
      this.#untold = undefined;
      return undefined;
    }
    this.#sinceMs = 0;
    if (offset === from) return frame;
    const rest = data.subarray(from - offset);
    return { kind, run, timeMs, offset: from, cursor: frame.cursor, data: rest };
  }
}

/** All frames of a log that holds at most `mostBytes` of data; undefined when it holds more. */
export function readShortLog(log: LogWriter, mostBytes: number): readonly Frame[] | undefined {
  if (log.end > mostBytes) return undefined;
  return log.segments.flatMap((segment) => framesOf(segment).filter(({ kind }) => kind !== 'end'));
}

function framesOf({ file, start, bytes, salt }: Segment): readonly Frame[] {
  const walk = new FrameWalk({ start, salt });
  walk.feed(readStart(file, bytes));
  const frames: Frame[] = [];
  for (let frame = walk.next(true); frame !== undefined; frame = walk.next(true))
    frames.push(frame);
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

function isAtEnd(segments: readonly Segment[], reader: SegmentReader): boolean {
  const last = segments.at(-1);
  return last === undefined || !reader.hasMore(last);
}

/** One file that is gone is damage; a log without its folder is deleted. */
function checkThere(log: LogWriter): void {
  if (log.removed || !existsSync(log.folder)) throw gone(log);
}

function gone({ executionId }: LogWriter): LimpetError {
  return new LimpetError('not-found', `the log of execution ${executionId} is no longer kept`);
}

function change(log: LogWriter, signal: AbortSignal): Promise<void> {
  // It may have fired while the file was read; then it tells nobody any more.
  if (signal.aborted) return Promise.resolve();
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
