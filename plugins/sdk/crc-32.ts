/** CRC-32 as of zlib and gzip. A call into zlib costs more than a short text does; Node before 20.15 has none. */
import zlib from 'node:zlib';

const SHORT_BYTES = 256;
const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++)
    value = (value & 1) === 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});
const NATIVE: ((bytes: Uint8Array, value: number) => number) | undefined = zlib.crc32;

/** A part of some bytes, `from` to `to` (exclusive); `value`: what the digest of the bytes before it is taken to be. */
export interface Summed {
  readonly from: number;
  readonly to: number;
  readonly value: number;
}

export function crc32(bytes: Uint8Array, part: Summed): number {
  const { from, to, value } = part;
  if (NATIVE === undefined || to - from < SHORT_BYTES) return byTable(bytes, part);
  return NATIVE(bytes.subarray(from, to), value);
}

/** The same without zlib. */
export function byTable(bytes: Uint8Array, { from, to, value: before }: Summed): number {
  let value = ~before;
  for (let at = from; at < to; at++)
    value = (TABLE[(value ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (value >>> 8);
  return ~value >>> 0;
}
