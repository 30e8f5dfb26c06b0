/**
 * One frame of a stored log. Frames lie end to end in a segment file.
 *
 *   0  'LLF2'   4 CRC-32 of the file's salt, bytes 8 to 40 and the cursor
 *   8  kind (1 stdout, 2 stderr, 3 gap, 4 end of a run)   10 cursor length   12 data length   16 run
 *   20 time, ms since the epoch (float)   28 global offset of the first data byte (float)   36 CRC-32 of the data
 *   40 cursor (UTF-8), data, length of the whole frame (4 bytes)
 *
 * All numbers are big endian. The head has a digest of its own: where it holds, the length of a frame is known even when
 * its data is damaged. Its salt is a random number for each file, so that output which looks like a frame, such as that of
 * work which prints a log file, is none. The length at the end leads from the end of a file to its last frames.
 *
 * The global offset counts the data bytes of kinds 1 to 3 over the whole execution, all its runs; the data of an end frame
 * is its reason and counts nothing. `cursor` is the source's position after the frame.
 */
import { crc32 } from './crc-32.ts';

export type FrameKind = 'stdout' | 'stderr' | 'gap' | 'end';

export interface Frame {
  readonly kind: FrameKind;
  readonly run: number;
  readonly timeMs: number;
  readonly offset: number;
  readonly cursor: string;
  readonly data: Uint8Array;
}

/** What the head of a frame tells, and where the frame lies in the bytes that it was found in. */
export interface FrameHead extends Omit<Frame, 'cursor' | 'data'> {
  readonly at: number;
  readonly cursorBytes: number;
  readonly dataBytes: number;
  /** Of the whole frame. */
  readonly length: number;
}

const MAGIC = 0x4c4c4632;
export const MAGIC_BYTES = Buffer.from('LLF2');
export const HEAD_BYTES = 40;
export const FOOT_BYTES = 4;
/** Larger than any that is written: what claims more is damage, not a frame. */
export const MAX_DATA_BYTES = 1024 * 1024;
export const MAX_CURSOR_BYTES = 8192;
const KINDS: readonly FrameKind[] = ['stdout', 'stderr', 'gap', 'end'];
const SUMMED_AT = 8;

/** Of the whole frame. */
export function frameLength({ cursor, data }: Pick<Frame, 'cursor' | 'data'>): number {
  return HEAD_BYTES + Buffer.byteLength(cursor) + data.length + FOOT_BYTES;
}

export function encodeFrame(frame: Frame, salt: number): Buffer {
  const { kind, run, timeMs, offset, cursor, data } = frame;
  const cursorBytes = Buffer.byteLength(cursor);
  const dataAt = HEAD_BYTES + cursorBytes;
  const length = dataAt + data.length + FOOT_BYTES;
  const bytes = Buffer.allocUnsafe(length);
  bytes.writeUInt32BE(MAGIC, 0);
  bytes.writeUInt8(KINDS.indexOf(kind) + 1, 8);
  bytes.writeUInt8(0, 9);
  bytes.writeUInt16BE(cursorBytes, 10);
  bytes.writeUInt32BE(data.length, 12);
  bytes.writeUInt32BE(run, 16);
  bytes.writeDoubleBE(timeMs, 20);
  bytes.writeDoubleBE(offset, 28);
  bytes.writeUInt32BE(crc32(data, { from: 0, to: data.length, value: 0 }), 36);
  bytes.write(cursor, HEAD_BYTES);
  bytes.writeUInt32BE(crc32(bytes, { from: SUMMED_AT, to: dataAt, value: salt }), 4);
  bytes.set(data, dataAt);
  bytes.writeUInt32BE(length, length - FOOT_BYTES);
  return bytes;
}

/** `short` when there are too few bytes to tell; undefined when no frame begins at `at`. */
export function headAt(bytes: Buffer, at: number, salt: number): FrameHead | 'short' | undefined {
  if (bytes.length - at < HEAD_BYTES) return 'short';
  if (bytes.readUInt32BE(at) !== MAGIC) return undefined;
  const kind = KINDS[bytes.readUInt8(at + 8) - 1];
  const cursorBytes = bytes.readUInt16BE(at + 10);
  const dataBytes = bytes.readUInt32BE(at + 12);
  if (kind === undefined || cursorBytes > MAX_CURSOR_BYTES || dataBytes > MAX_DATA_BYTES)
    return undefined;
  const dataAt = at + HEAD_BYTES + cursorBytes;
  if (bytes.length < dataAt) return 'short';
  const found = crc32(bytes, { from: at + SUMMED_AT, to: dataAt, value: salt });
  if (found !== bytes.readUInt32BE(at + 4)) return undefined;
  return {
    at,
    kind,
    cursorBytes,
    dataBytes,
    length: HEAD_BYTES + cursorBytes + dataBytes + FOOT_BYTES,
    run: bytes.readUInt32BE(at + 16),
    timeMs: bytes.readDoubleBE(at + 20),
    offset: bytes.readDoubleBE(at + 28),
  };
}

/** undefined when its data is not all there, or not as it was written. */
export function frameOf(bytes: Buffer, head: FrameHead): Frame | undefined {
  const { at, cursorBytes, dataBytes, length } = head;
  if (bytes.length < at + length) return undefined;
  const dataAt = at + HEAD_BYTES + cursorBytes;
  const found = crc32(bytes, { from: dataAt, to: dataAt + dataBytes, value: 0 });
  if (found !== bytes.readUInt32BE(at + 36)) return undefined;
  return new StoredFrame(bytes, head);
}

/** Most readers do not look at the cursor. */
class StoredFrame implements Frame {
  readonly kind: FrameKind;
  readonly run: number;
  readonly timeMs: number;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly #bytes: Buffer;
  readonly #cursorAt: number;
  readonly #dataAt: number;

  constructor(bytes: Buffer, { at, kind, run, timeMs, offset, cursorBytes, dataBytes }: FrameHead) {
    this.kind = kind;
    this.run = run;
    this.timeMs = timeMs;
    this.offset = offset;
    this.#bytes = bytes;
    this.#cursorAt = at + HEAD_BYTES;
    this.#dataAt = this.#cursorAt + cursorBytes;
    this.data = bytes.subarray(this.#dataAt, this.#dataAt + dataBytes);
  }

  get cursor(): string {
    return this.#bytes.toString('utf8', this.#cursorAt, this.#dataAt);
  }
}

/** How far a frame moves the global offset. */
export function payloadBytes(frame: Pick<FrameHead, 'kind' | 'dataBytes'>): number {
  return frame.kind === 'end' ? 0 : frame.dataBytes;
}

/** Offset of the first data byte that follows a frame. */
export function endOf({ kind, offset, data }: Frame): number {
  return kind === 'end' ? offset : offset + data.length;
}
