/**
 * One frame of a stored log. Frames lie end to end in a segment file; what is not a whole, valid frame ends the log.
 *
 *   0  'LLF1'   4 digest of bytes 8.. (first 4 bytes of SHA-256)
 *   8  kind (1 stdout, 2 stderr, 3 gap, 4 end of a run)   10 cursor length   12 data length   16 run
 *   20 time, ms since the epoch (float)   28 global offset of the first data byte (float)
 *   36 cursor (UTF-8), data
 *
 * All numbers are big endian. The global offset counts the data bytes of kinds 1 to 3 over the whole execution, all its
 * runs; the data of an end frame is its reason and counts nothing. `cursor` is the source's position after the frame.
 */
import { createHash } from 'node:crypto';

export type FrameKind = 'stdout' | 'stderr' | 'gap' | 'end';

export interface Frame {
  readonly kind: FrameKind;
  readonly run: number;
  readonly timeMs: number;
  readonly offset: number;
  readonly cursor: string;
  readonly data: Uint8Array;
}

/** A frame and the number of bytes that it takes in its file. */
export interface DecodedFrame {
  readonly frame: Frame;
  readonly length: number;
}

const MAGIC = 0x4c4c4631;
const HEADER_BYTES = 36;
const KINDS: readonly FrameKind[] = ['stdout', 'stderr', 'gap', 'end'];
/** More than any frame holds; a larger length is damage, not a frame. */
export const MAX_DATA_BYTES = 1024 * 1024;

export function encodeFrame(frame: Frame): Buffer {
  const cursor = Buffer.from(frame.cursor);
  const bytes = Buffer.alloc(HEADER_BYTES + cursor.length + frame.data.length);
  bytes.writeUInt32BE(MAGIC, 0);
  bytes.writeUInt8(KINDS.indexOf(frame.kind) + 1, 8);
  bytes.writeUInt16BE(cursor.length, 10);
  bytes.writeUInt32BE(frame.data.length, 12);
  bytes.writeUInt32BE(frame.run, 16);
  bytes.writeDoubleBE(frame.timeMs, 20);
  bytes.writeDoubleBE(frame.offset, 28);
  bytes.set(cursor, HEADER_BYTES);
  bytes.set(frame.data, HEADER_BYTES + cursor.length);
  digest(bytes.subarray(8)).copy(bytes, 4);
  return bytes;
}

/** The frame at `at`; undefined when what is there is not a whole and valid one. */
export function decodeFrame(bytes: Buffer, at = 0): DecodedFrame | undefined {
  if (bytes.length < at + HEADER_BYTES || bytes.readUInt32BE(at) !== MAGIC) return undefined;
  const kind = KINDS[bytes.readUInt8(at + 8) - 1];
  const cursorBytes = bytes.readUInt16BE(at + 10);
  const dataBytes = bytes.readUInt32BE(at + 12);
  const length = HEADER_BYTES + cursorBytes + dataBytes;
  if (kind === undefined || dataBytes > MAX_DATA_BYTES || bytes.length < at + length)
    return undefined;
  const body = bytes.subarray(at + 8, at + length);
  if (digest(body).compare(bytes, at + 4, at + 8) !== 0) return undefined;
  const dataAt = at + HEADER_BYTES + cursorBytes;
  const frame = {
    kind,
    run: bytes.readUInt32BE(at + 16),
    timeMs: bytes.readDoubleBE(at + 20),
    offset: bytes.readDoubleBE(at + 28),
    cursor: bytes.toString('utf8', at + HEADER_BYTES, dataAt),
    data: bytes.subarray(dataAt, at + length),
  };
  return { frame, length };
}

/** How far the frame moves the global offset. */
export function payloadBytes(frame: Frame): number {
  return frame.kind === 'end' ? 0 : frame.data.length;
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, 4);
}
