/** DER, as much of it as a certificate takes. */

const SEQUENCE = 0x30;

export function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body]);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const hex = length.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return tlv(SEQUENCE, ...parts);
}

/** Context tag `[n]` around something. */
export function tagged(n: number, ...parts: readonly Uint8Array[]): Buffer {
  return tlv(0xa0 | n, ...parts);
}

/** Context tag `[n]` in place of the own tag of a primitive. */
export function implicit(n: number, bytes: Uint8Array): Buffer {
  return tlv(0x80 | n, bytes);
}

/** Of bytes of a positive number, the first not zero. */
export function integer(bytes: Uint8Array): Buffer {
  const first = bytes[0] ?? 0;
  return first >= 0x80 ? tlv(0x02, Buffer.from([0]), bytes) : tlv(0x02, bytes);
}

export function boolean(value: boolean): Buffer {
  return tlv(0x01, Buffer.from([value ? 0xff : 0]));
}

export function octets(bytes: Uint8Array): Buffer {
  return tlv(0x04, bytes);
}

export function bits(bytes: Uint8Array, unused = 0): Buffer {
  return tlv(0x03, Buffer.from([unused]), bytes);
}

export function utf8(text: string): Buffer {
  return tlv(0x0c, Buffer.from(text));
}

/** RFC 5280: two digits of the year until 2049. */
export function time(atMs: number): Buffer {
  const text = new Date(atMs).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return Number(text.slice(0, 4)) < 2050
    ? tlv(0x17, Buffer.from(text.slice(2)))
    : tlv(0x18, Buffer.from(text));
}

/** `2.5.29.17` */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return tlv(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let left = value >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
  return digits;
}
