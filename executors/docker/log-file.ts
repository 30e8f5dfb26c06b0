/**
 * How full the engine's log file is, told from what has been read of it. A follower of the engine that is behind when a file is
 * full goes on in the file that is then the newest: when a whole file was written meanwhile, it is left out without a
 * word. A reader that knows where a file ends can look there again.
 *
 * json-file writes `{"log":"…","stream":"…","time":"…"}` and LF for each frame, and begins a new file when the present one has
 * reached its size before a write.
 */
import type { Frame } from './log-frames.ts';

const AROUND = '{"log":"","stream":"","time":"Z"}\n'.length;
const SECONDS = '2026-11-22T02:38:08'.length;
const FRACTION_DIGITS = 9;

/** Bytes that one byte of output takes within the JSON text. */
const WIDTHS = Uint8Array.from({ length: 256 }, (_, byte) => widthOf(byte));

function widthOf(byte: number): number {
  const character = String.fromCharCode(byte);
  if ('\n\r\\"'.includes(character)) return 2;
  return byte < 0x20 || '<>&'.includes(character) ? 6 : 1;
}

/** What the engine puts for a byte that is no UTF-8, as it comes back, and the two line ends of Unicode: six bytes instead of three. */
const WIDE = [Buffer.from('\uFFFD'), Buffer.from('\u2028'), Buffer.from('\u2029')];

function wideCount(data: Buffer): number {
  let count = 0;
  for (const wide of WIDE)
    for (let at = data.indexOf(wide); at !== -1; at = data.indexOf(wide, at + wide.length))
      count += 1;
  return count;
}

function fractionBytes(at: bigint): number {
  let fraction = Number(at % 1_000_000_000n);
  if (fraction === 0) return 0;
  let digits = FRACTION_DIGITS;
  for (; fraction % 10 === 0; fraction /= 10) digits -= 1;
  return digits + 1;
}

/** Bytes of a frame in the file. */
export function entryBytes({ stream, at, data }: Frame): number {
  let bytes = AROUND + stream.length + SECONDS + fractionBytes(at);
  let isPlain = true;
  for (const byte of data) {
    bytes += WIDTHS[byte] ?? 1;
    isPlain &&= byte < 0x80;
  }
  return isPlain ? bytes : bytes + 3 * wideCount(data);
}

/** `10m` is ten million bytes, as the engine reads it; undefined when the text is not of this form. */
export function fileSize(text: string): number | undefined {
  const match = /^(\d+)([kmg]?)b?$/i.exec(text);
  const power = ['', 'k', 'm', 'g'].indexOf(match?.[2]?.toLowerCase() ?? '');
  return match === null ? undefined : Number(match[1]) * 1000 ** power;
}

/** No engine writes more than a byte in a nanosecond: frames nearer to each other have no whole file between them. */
export function mayHoldFile(before: bigint, after: bigint, size: number): boolean {
  return after - before >= BigInt(size);
}
