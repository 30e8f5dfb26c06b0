/** What a log folder holds: the segments, and from the last one the end offset and each run's last frame. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeFrame, payloadBytes, type Frame } from './log-frame.ts';

export interface Segment {
  readonly file: string;
  /** Global offset of its first data byte. */
  readonly start: number;
  /** Bytes of whole frames in the file. */
  readonly bytes: number;
}

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

  take(frame: Frame): void {
    this.end = frame.offset + payloadBytes(frame);
    this.complete = frame.kind === 'end';
    this.runs.set(frame.run, { cursor: frame.cursor, ended: this.complete });
  }
}

/** Reads the last segment that has a whole frame; nothing there is an empty log. */
export async function scanLog(folder: string): Promise<LogState> {
  const state = new LogState();
  const names = existsSync(folder) ? readdirSync(folder) : [];
  for (const name of names.filter((name) => /^\d{16}\.log$/.test(name)).sort()) {
    const file = join(folder, name);
    const { size } = statSync(file);
    state.segments.push({ file, start: Number(name.slice(0, 16)), bytes: size });
  }
  for (let last = state.segments.pop(); last !== undefined; last = state.segments.pop()) {
    const bytes = takeFrames(await readFile(last.file), state);
    if (bytes > 0) {
      state.segments.push({ ...last, bytes });
      return state;
    }
    state.leftovers.push(last.file);
  }
  return state;
}

/** Answers how many bytes are whole frames. */
function takeFrames(bytes: Buffer, state: LogState): number {
  let position = 0;
  for (let next = decodeFrame(bytes); next !== undefined; next = decodeFrame(bytes, position)) {
    position += next.length;
    state.take(next.frame);
  }
  return position;
}
