/** What a log folder holds: the segments, and from the last one the end offset and each run's last frame. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { endOf, type Frame } from './log-frame.ts';
import { SegmentReader } from './segment-reader.ts';
import type { Segment } from './segment.ts';
import { SegmentTail } from './segment-tail.ts';

/** Where one run's part of the log stands. */
export interface RunMark {
  readonly cursor: string;
  readonly ended: boolean;
}

export class LogState {
  /** Oldest first. */
  segments: Segment[] = [];
  /** Segment files without a whole frame. */
  leftovers: string[] = [];
  readonly runs = new Map<number, RunMark>();
  /** Global offset after the last data byte. */
  end = 0;
  /** The last frame is an end mark. */
  complete = false;
  /** The log was deleted. */
  removed = false;

  take(frame: Frame): void {
    this.end = endOf(frame);
    this.complete = frame.kind === 'end';
    this.runs.set(frame.run, { cursor: frame.cursor, ended: this.complete });
  }
}

/** Looks at the last segment that has a whole frame; nothing there is an empty log. */
export async function scanLog(folder: string): Promise<LogState> {
  const state = new LogState();
  const names = existsSync(folder) ? readdirSync(folder) : [];
  for (const name of names.sort()) {
    const [, start, salt] = /^(\d{16})-([\da-f]{8})\.log$/.exec(name) ?? [];
    if (start === undefined || salt === undefined) continue;
    const file = join(folder, name);
    const { size: bytes } = statSync(file);
    state.segments.push({ file, salt: Number.parseInt(salt, 16), start: Number(start), bytes });
  }
  for (let last = state.segments.pop(); last !== undefined; last = state.segments.pop()) {
    const bytes = endsWell(last, state) ? last.bytes : await wholeBytes(last, state);
    if (bytes > 0) {
      state.segments.push({ ...last, bytes });
      return state;
    }
    state.leftovers.push(last.file);
  }
  return state;
}

/** A file that ends with a whole frame was not torn: that frame tells all. */
function endsWell(segment: Segment, state: LogState): boolean {
  const { start, bytes } = segment;
  using tail = new SegmentTail(segment);
  const frame = tail.previous();
  if (frame === undefined || frame.offset < start || frame.offset > start + bytes) return false;
  state.take(frame);
  return true;
}

/** Answers where the last whole frame ends. */
async function wholeBytes(segment: Segment, state: LogState): Promise<number> {
  await using reader = new SegmentReader();
  for (;;) {
    const frames = await reader.next(segment, { mostBytes: 0 });
    for (const frame of frames) state.take(frame);
    if (frames.length === 0) return reader.whole;
  }
}
