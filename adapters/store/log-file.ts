/**
 * LevelDB's write-ahead log, read as LevelDB does: blocks of 32 KiB with records of checksum, length, type and bytes.
 * LevelDB itself drops what does not fit and says nothing; acknowledged writes go with it. A tail that is cut off is what
 * a crash leaves (nothing in it was acknowledged), and so are zeros; a wrong checksum is damage.
 *
 *   record := crc32c of type and bytes, masked (4, LE) | length (2, LE) | type (1: 1 full, 2 first, 3 middle, 4 last) | bytes
 *   (google/leveldb, doc/log_format.md)
 */
const BLOCK = 32_768;
const HEADER = 7;
const LAST_TYPE = 4;

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

function maskedCrc32c(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** The place of the first record that is damaged; undefined when every whole record is sound. */
export function firstDamage(log: Buffer): number | undefined {
  let at = 0;
  while (at + HEADER <= log.length) {
    const left = BLOCK - (at % BLOCK);
    if (left < HEADER) {
      at += left;
      continue;
    }
    const length = log.readUInt16LE(at + 4);
    const type = log[at + 6] ?? 0;
    if (type === 0 && length === 0) {
      at += left;
      continue;
    }
    if (HEADER + length > left) return at;
    if (at + HEADER + length > log.length) return undefined;
    const body = log.subarray(at + 6, at + HEADER + length);
    if (type > LAST_TYPE || maskedCrc32c(body) !== log.readUInt32LE(at)) return at;
    at += HEADER + length;
  }
  return undefined;
}
