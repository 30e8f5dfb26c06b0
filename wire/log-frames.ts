/**
 * A log on its way: frames end to end, from an agent to its requester (`ExecutionLogs`), and from the requester to a
 * reader that accepts `application/vnd.limpet.log-frames`. Numbers are big endian.
 *
 *   0 kind (1 byte)   1 nothing   2 source (2 bytes)   4 length of the data (4 bytes)
 *   8 time, ms since the epoch (float)   16 offset (float)   24 data
 *
 * | kind | data | offset |
 * |---|---|---|
 * | 1 stdout, 2 stderr, 3 gap | bytes of the log; of a gap what is missing, for people | of the first of them |
 * | 4 cut | what is no longer kept, for people; no bytes of the log | where the log goes on |
 * | 8 source | LogSource: whose the frames with this source are | 0 |
 * | 9 notice | LogNotice: a word for people on the source, such as a break or where the output comes from | 0 |
 * | 10 end | LogEnd; nothing follows | 0 |
 * | 11 pulse | nothing; the sender is there | 0 |
 *
 * An agent sends kinds 1 to 4, of source 0.
 */
import { z } from 'zod';
import { asBuffer } from '../core/as-buffer.ts';
import { LimpetError } from '../core/errors.ts';

export const LOG_FRAMES_TYPE = 'application/vnd.limpet.log-frames';

const KINDS = {
  1: 'stdout',
  2: 'stderr',
  3: 'gap',
  4: 'cut',
  8: 'source',
  9: 'notice',
  10: 'end',
  11: 'pulse',
} as const;
export type LogFrameKind = (typeof KINDS)[keyof typeof KINDS];
const NUMBERS = new Map(Object.entries(KINDS).map(([number, kind]) => [kind, Number(number)]));
const NAMES = new Map(Object.entries(KINDS).map(([number, kind]) => [Number(number), kind]));

export interface LogFrame {
  readonly kind: LogFrameKind;
  /** 0 to 65535 */
  readonly source: number;
  /** ms since the epoch */
  readonly timeMs: number;
  readonly offset: number;
  /** At most 1 MiB. */
  readonly data: Uint8Array;
}

export const logSourceSchema = z.object({
  executionId: z.string(),
  nodeId: z.string(),
  jobName: z.string(),
  /** Of its job, from 0. */
  partition: z.number().int().nonnegative().exactOptional(),
  /** The frames are no part of the log, but what the requester has recorded: they move no position. */
  recorded: z.literal(true).exactOptional(),
});
export type LogSource = z.infer<typeof logSourceSchema>;

export const logNoticeSchema = z.object({ text: z.string() });
export type LogNotice = z.infer<typeof logNoticeSchema>;

const HEAD_BYTES = 24;
const MOST_DATA_BYTES = 1024 * 1024;
/** Less is copied sooner than it is kept apart. */
const COPIED_BYTES = 4 * 1024;

/** All of them in one piece. */
export function encodeLogFrames(frames: readonly LogFrame[]): Buffer {
  const total = frames.reduce((sum, { data }) => sum + HEAD_BYTES + data.length, 0);
  const bytes = Buffer.allocUnsafe(total);
  let at = 0;
  for (const frame of frames) {
    writeHead(bytes, at, frame);
    bytes.set(frame.data, at + HEAD_BYTES);
    at += HEAD_BYTES + frame.data.length;
  }
  return bytes;
}

/** The same in parts that follow each other: those with much data are not copied. */
export function logFrameParts(frames: readonly LogFrame[]): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  let small: LogFrame[] = [];
  for (const frame of frames) {
    if (frame.data.length < COPIED_BYTES) {
      small.push(frame);
      continue;
    }
    const head = Buffer.allocUnsafe(HEAD_BYTES);
    writeHead(head, 0, frame);
    parts.push(encodeLogFrames(small), head, frame.data);
    small = [];
  }
  parts.push(encodeLogFrames(small));
  return parts;
}

function writeHead(bytes: Buffer, at: number, frame: LogFrame): void {
  const { kind, source, timeMs, offset, data } = frame;
  bytes.writeUInt8(NUMBERS.get(kind) ?? 0, at);
  bytes.writeUInt8(0, at + 1);
  bytes.writeUInt16BE(source, at + 2);
  bytes.writeUInt32BE(data.length, at + 4);
  bytes.writeDoubleBE(timeMs, at + 8);
  bytes.writeDoubleBE(offset, at + 16);
}

/** Frames out of pieces that end anywhere. */
export class LogFrameDecoder {
  #rest: Buffer[] = [];
  #pending = 0;
  /** Bytes without which there is no further frame. */
  #needed = HEAD_BYTES;

  /**
   * The frames that are whole now; their data may be views of `bytes`. Frames of a kind that is not known are left out.
   * Errors: `invalid-argument`.
   */
  take(bytes: Uint8Array): readonly LogFrame[] {
    const piece = asBuffer(bytes);
    if (this.#pending + piece.length < this.#needed) {
      this.#keep(piece);
      return [];
    }
    const all = this.#pending === 0 ? piece : Buffer.concat([...this.#rest, piece]);
    const frames: LogFrame[] = [];
    let at = 0;
    this.#needed = lengthAt(all, at);
    while (all.length - at >= this.#needed) {
      const frame = frameAt(all, at, this.#needed);
      if (frame !== undefined) frames.push(frame);
      at += this.#needed;
      this.#needed = lengthAt(all, at);
    }
    this.#rest = [];
    this.#pending = 0;
    this.#keep(all.subarray(at));
    return frames;
  }

  /** Bytes of a frame that is not whole yet. */
  get pending(): number {
    return this.#pending;
  }

  #keep(bytes: Buffer): void {
    if (bytes.length > 0) this.#rest.push(Buffer.from(bytes));
    this.#pending += bytes.length;
  }
}

/** Of the frame at this place; of its head when that is not whole. */
function lengthAt(bytes: Buffer, at: number): number {
  if (bytes.length - at < HEAD_BYTES) return HEAD_BYTES;
  const dataBytes = bytes.readUInt32BE(at + 4);
  if (dataBytes > MOST_DATA_BYTES)
    throw new LimpetError('invalid-argument', `a log frame claims ${dataBytes} bytes of data`);
  return HEAD_BYTES + dataBytes;
}

function frameAt(bytes: Buffer, at: number, length: number): LogFrame | undefined {
  const kind = NAMES.get(bytes.readUInt8(at));
  if (kind === undefined) return undefined;
  return {
    kind,
    source: bytes.readUInt16BE(at + 2),
    timeMs: bytes.readDoubleBE(at + 8),
    offset: bytes.readDoubleBE(at + 16),
    data: bytes.subarray(at + HEAD_BYTES, at + length),
  };
}
