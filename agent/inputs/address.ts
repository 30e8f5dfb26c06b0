/**
 * What an IP address is for. Only `public` may be fetched from unless an operator allows more: IPv4 without the special
 * ranges, and of IPv6 the global unicast range without those that stand for other networks. Forms that carry an IPv4
 * address (mapped, compatible, NAT64) are what that address is; 6to4 and Teredo are refused whatever they carry.
 */
import { isIPv4, isIPv6 } from 'node:net';

export type AddressKind =
  | 'public'
  | 'unspecified'
  | 'loopback'
  | 'link-local'
  | 'private'
  | 'shared'
  | 'metadata'
  | 'multicast'
  | 'reserved';

type Range = readonly [address: string, bits: number, kind: AddressKind];

/** The first that fits counts. */
const RANGES_4: readonly Range[] = [
  ['169.254.169.254', 32, 'metadata'],
  ['169.254.170.2', 32, 'metadata'],
  ['100.100.100.200', 32, 'metadata'],
  ['168.63.129.16', 32, 'metadata'],
  ['192.0.0.192', 32, 'metadata'],
  ['0.0.0.0', 8, 'unspecified'],
  ['10.0.0.0', 8, 'private'],
  ['100.64.0.0', 10, 'shared'],
  ['127.0.0.0', 8, 'loopback'],
  ['169.254.0.0', 16, 'link-local'],
  ['172.16.0.0', 12, 'private'],
  ['192.0.0.0', 24, 'reserved'],
  ['192.0.2.0', 24, 'reserved'],
  ['192.88.99.0', 24, 'reserved'],
  ['192.168.0.0', 16, 'private'],
  ['198.18.0.0', 15, 'reserved'],
  ['198.51.100.0', 24, 'reserved'],
  ['203.0.113.0', 24, 'reserved'],
  ['224.0.0.0', 4, 'multicast'],
  ['240.0.0.0', 4, 'reserved'],
];

const RANGES_6: readonly Range[] = [
  ['fd00:ec2::254', 128, 'metadata'],
  ['fd20:ce::254', 128, 'metadata'],
  ['::', 128, 'unspecified'],
  ['::1', 128, 'loopback'],
  ['fe80::', 10, 'link-local'],
  ['fec0::', 10, 'private'],
  ['fc00::', 7, 'private'],
  ['64:ff9b:1::', 48, 'private'],
  ['ff00::', 8, 'multicast'],
  ['2001::', 23, 'reserved'],
  ['2001:db8::', 32, 'reserved'],
  ['2002::', 16, 'reserved'],
  ['3fff::', 20, 'reserved'],
  ['2000::', 3, 'public'],
  ['::', 0, 'reserved'],
];

/** IPv6 forms whose last four bytes are an IPv4 address: compatible, mapped, translated, NAT64. */
const CARRIERS: readonly (readonly [address: string, bits: number])[] = [
  ['::', 96],
  ['::ffff:0:0', 96],
  ['::ffff:0:0:0', 96],
  ['64:ff9b::', 96],
];

const PARSED_4 = RANGES_4.map(([address, bits, kind]) => ({ block: block(address, bits), kind }));
const PARSED_6 = RANGES_6.map(([address, bits, kind]) => ({ block: block(address, bits), kind }));
const PARSED_CARRIERS = CARRIERS.map(([address, bits]) => block(address, bits));
const SELVES = [block('::', 128), block('::1', 128)];

/** `reserved` for what is no address. */
export function kindOf(address: string): AddressKind {
  const bytes = plainBytes(address);
  if (bytes === undefined) return 'reserved';
  if (bytes.length === 4) return kindIn(PARSED_4, bytes, 'public');
  return kindIn(PARSED_6, bytes, 'reserved');
}

export interface Block {
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** `10.0.0.0/8`, `fd00::/8`, or one address; undefined for any other text. */
export function parseBlock(text: string): Block | undefined {
  const [, address = '', length] = /^([^/]+?)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const bytes = bytesOf(address);
  if (bytes === undefined) return undefined;
  const bits = length === undefined ? bytes.length * 8 : Number(length);
  return bits <= bytes.length * 8 ? { bytes, bits } : undefined;
}

/** An IPv4 address in an IPv6 form lies in the blocks of either. */
export function liesIn(address: string, outer: Block): boolean {
  return [bytesOf(address), plainBytes(address)].some(
    (bytes) => bytes !== undefined && isInside(bytes, outer),
  );
}

export function sameAddress(a: string, b: string): boolean {
  const [left, right] = [plainBytes(a), plainBytes(b)];
  return left !== undefined && right !== undefined && left.join() === right.join();
}

function kindIn(
  ranges: readonly { readonly block: Block; readonly kind: AddressKind }[],
  bytes: readonly number[],
  otherwise: AddressKind,
): AddressKind {
  return ranges.find(({ block: outer }) => isInside(bytes, outer))?.kind ?? otherwise;
}

function block(address: string, bits: number): Block {
  return { bytes: bytesOf(address) ?? [], bits };
}

function isInside(bytes: readonly number[], outer: Block): boolean {
  if (bytes.length !== outer.bytes.length) return false;
  return bytes.every((byte, i) => {
    const bits = Math.max(0, Math.min(8, outer.bits - i * 8));
    const mask = (0xff00 >> bits) & 0xff;
    return (byte & mask) === ((outer.bytes[i] ?? 0) & mask);
  });
}

/** The same, an IPv4 address taken out of its IPv6 form. */
function plainBytes(address: string): readonly number[] | undefined {
  const bytes = bytesOf(address);
  if (bytes?.length !== 16 || SELVES.some((self) => isInside(bytes, self))) return bytes;
  return PARSED_CARRIERS.some((form) => isInside(bytes, form)) ? bytes.slice(12) : bytes;
}

/** 4 or 16; a zone (`%eth0`) is left out. */
function bytesOf(text: string): readonly number[] | undefined {
  const [address = ''] = text.split('%');
  if (isIPv4(address)) return address.split('.').map(Number);
  if (!isIPv6(address)) return undefined;
  // Written out by the URL parser: no dotted tail, no leading zeros.
  const plain = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = plain.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const gap = Array.from({ length: 8 - first.length - last.length }, () => '0');
  return [...first, ...gap, ...last].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
