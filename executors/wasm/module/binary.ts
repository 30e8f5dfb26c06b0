/**
 * The binary format as far as a host must know it: sections, and the limits of the memory section (id 5).
 *   module := magic version section*      section := id:u8 size:leb128 payload
 *   memory section := count limits*       limits := flags:u8 min:leb128 [max:leb128]
 * Flags: 1 has a maximum, 2 shared, 4 64-bit. A page is 64 KiB.
 */
import { LimpetError } from '../../../plugins/sdk/index.ts';

const MAX_PAGES = 65_536;

export const SECTION = { memory: 5, start: 8 } as const;

export interface Section {
  readonly id: number;
  /** Of the id byte. */
  readonly start: number;
  readonly payload: number;
  readonly end: number;
}

export interface MemoryLimits {
  readonly minPages: number;
  readonly maxPages: number;
}

function broken(what: string): LimpetError {
  return new LimpetError('refused', `not a valid wasm module: ${what}`);
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  at: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  byte(): number {
    const value = this.at < this.#end ? this.#bytes[this.at] : undefined;
    if (value === undefined) throw broken('it ends too early');
    this.at += 1;
    return value;
  }

  leb128(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw broken('a number is too long');
  }
}

/** Throws `refused` with what the bytes are instead of a core module. */
export function readSections(bytes: Uint8Array): readonly Section[] {
  const head = Buffer.from(bytes.subarray(0, 8)).toString('hex');
  if (!head.startsWith('0061736d')) throw broken('the magic number is missing');
  if (head === '0061736d0d000100')
    throw new LimpetError('refused', 'this is a wasm component; a core module is needed');
  if (head !== '0061736d01000000') throw broken('unknown version of the format');
  const sections: Section[] = [];
  const reader = new Reader(bytes, 8, bytes.byteLength);
  while (reader.at < bytes.byteLength) {
    const start = reader.at;
    const id = reader.byte();
    const size = reader.leb128();
    const payload = reader.at;
    if (payload + size > bytes.byteLength) throw broken('a section ends behind the file');
    sections.push({ id, start, payload, end: payload + size });
    reader.at = payload + size;
  }
  return sections;
}

/** Limits of the one memory; undefined when the module defines none. Throws `refused` for kinds we cannot bound. */
export function readMemory(
  bytes: Uint8Array,
  section: Section | undefined,
): MemoryLimits | undefined {
  if (section === undefined) return undefined;
  const reader = new Reader(bytes, section.payload, section.end);
  const count = reader.leb128();
  if (count === 0) return undefined;
  if (count > 1)
    throw new LimpetError('refused', `the module has ${count} memories; one is supported`);
  const flags = reader.byte();
  if ((flags & 4) !== 0)
    throw new LimpetError('refused', 'the module has a 64-bit memory; 32 bits are supported');
  if ((flags & 2) !== 0)
    throw new LimpetError('refused', 'the module has a shared memory; threads are not supported');
  const minPages = reader.leb128();
  return { minPages, maxPages: (flags & 1) !== 0 ? reader.leb128() : MAX_PAGES };
}

/** The same module with its memory bounded: then `memory.grow` itself refuses what is above. */
export function capMemory(
  bytes: Uint8Array,
  section: Section,
  limits: MemoryLimits,
  capPages: number,
): Uint8Array {
  const max = Math.min(limits.maxPages, capPages);
  const payload = [1, 1, ...leb128(limits.minPages), ...leb128(max)];
  const rewritten = Uint8Array.from([SECTION.memory, ...leb128(payload.length), ...payload]);
  return Buffer.concat([bytes.subarray(0, section.start), rewritten, bytes.subarray(section.end)]);
}

function leb128(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low + 128 : low);
  } while (rest > 0);
  return bytes;
}
