/** Where a reader begins who wants the last lines, or what was printed since a time. */
import { statSync } from 'node:fs';
import type { Frame } from './log-frame.ts';
import type { Segment } from './segment.ts';
import type { LogWriter } from './log-writer.ts';
import { SegmentReader, type FramePlace } from './segment-reader.ts';
import { SegmentTail } from './segment-tail.ts';

const NEWLINE = 10;
const READ_BYTES = 256 * 1024;

export interface Start {
  readonly offset: number;
  /** The frame that holds it, if it is known. */
  readonly at?: FramePlace;
}

/**
 * Where the last `lines` lines begin; 0 when there are not that many, so that a reader is told of a cut. Read from the end;
 * only what lies before damage is read from its beginning.
 */
export async function tailStart(log: LogWriter, lines: number): Promise<Start> {
  const { end } = log;
  let missing = lines;
  for (const segment of log.segments.toReversed()) {
    using tail = new SegmentTail(segment);
    for (let frame = tail.previous(); frame !== undefined; frame = tail.previous()) {
      const starts = lineStarts(frame, end);
      const offset = starts.at(-missing);
      const { file } = segment;
      if (offset !== undefined)
        return { offset, at: { file, position: tail.end, offset: frame.offset } };
      missing -= starts.length;
    }
    if (tail.end === 0) continue;
    const starts = await startsBefore({ ...segment, bytes: tail.end }, { missing, end });
    const offset = starts.at(-missing);
    if (offset !== undefined) return { offset };
    missing -= starts.length;
  }
  return { offset: 0 };
}

/** Offsets that follow a newline, but for the one at the very end. */
function lineStarts({ data, offset, kind }: Frame, end: number): number[] {
  const starts: number[] = [];
  if (kind === 'end') return starts;
  for (let at = data.indexOf(NEWLINE); at >= 0; at = data.indexOf(NEWLINE, at + 1))
    if (offset + at + 1 < end) starts.push(offset + at + 1);
  return starts;
}

/** The last `missing` of a segment, or all. */
async function startsBefore(
  segment: Segment,
  { missing, end }: { readonly missing: number; readonly end: number },
): Promise<number[]> {
  await using reader = new SegmentReader();
  let starts: number[] = [];
  for (;;) {
    const frames = await reader.next(segment, { mostBytes: READ_BYTES });
    if (frames.length === 0) return starts.slice(-missing);
    for (const frame of frames) for (const start of lineStarts(frame, end)) starts.push(start);
    if (starts.length > 2 * missing) starts = starts.slice(-missing);
  }
}

/**
 * An offset at or before the first frame of `sinceMs` or later, at the beginning of a segment; 0 in the oldest, so that a
 * reader is told of a cut.
 */
export function sinceOffset({ segments }: LogWriter, sinceMs: number): number {
  let first = segments.length - 1;
  while (first > 0 && lastTime(segments[first - 1]) >= sinceMs) first -= 1;
  return first > 0 ? (segments[first]?.start ?? 0) : 0;
}

function lastTime(segment: Segment | undefined): number {
  if (segment === undefined) return 0;
  using tail = new SegmentTail(segment);
  const written = () => statSync(segment.file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return tail.previous()?.timeMs ?? written();
}
