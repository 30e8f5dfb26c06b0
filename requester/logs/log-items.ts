/** What a log consists of on its way through the requester. */
import type { StreamEnd } from '../../adapters/streams/port.ts';
import type { LogEnd } from '../../wire/http.ts';
import type { LogFrame, LogSource } from '../../wire/log-frames.ts';

/** Of one execution. After its `end` nothing comes. */
export type LogItem =
  | { readonly type: 'frame'; readonly frame: LogFrame }
  | { readonly type: 'notice'; readonly text: string }
  | { readonly type: 'end'; readonly end: StreamEnd };

/** Of a job. `index` is a number from 1 for each execution; its `source` comes before all else with it. */
export type LogOutput =
  | { readonly type: 'source'; readonly index: number; readonly source: LogSource }
  | { readonly type: 'frame'; readonly index: number; readonly frame: LogFrame }
  | { readonly type: 'notice'; readonly index: number; readonly text: string }
  | { readonly type: 'end'; readonly data: LogEnd };

/** Where a reader of one execution begins; nothing given is the beginning of the log. */
export interface LogStart {
  /** The first byte that is wanted; the others then say nothing. */
  readonly fromOffset?: number;
  readonly tail?: number;
  readonly sinceMs?: number;
}

/** The byte after a frame: where a reader goes on that has it. */
export function offsetAfter({ kind, offset, data }: LogFrame): number {
  return kind === 'cut' ? offset : offset + data.length;
}

/** It says nothing new to a reader that has all before an offset. */
export function isBefore(frame: LogFrame, offset: number): boolean {
  if (frame.kind === 'cut') return frame.offset <= offset;
  return frame.offset < offset && offsetAfter(frame) <= offset;
}

/** The part of a frame at or behind an offset that lies within it. What is written for people is never parted. */
export function frameFrom(frame: LogFrame, offset: number): LogFrame {
  const { kind, data } = frame;
  if (offset <= frame.offset || kind === 'gap' || kind === 'cut') return frame;
  return { ...frame, offset, data: data.subarray(offset - frame.offset) };
}
