/**
 * The stored form of one value: 8 hex digits of CRC-32, then JSON. The checksum covers the key, a zero byte and the JSON,
 * so that a value that was read under another key is found as well.
 */
import { LimpetError, messageOf } from '../../core/errors.ts';
import { crc32 } from './crc32.ts';

const SEPARATOR = Uint8Array.of(0);

export type Decoded =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string };

function checksum(key: string, json: string): string {
  const crc = crc32(Buffer.from(json), crc32(SEPARATOR, crc32(Buffer.from(key))));
  return crc.toString(16).padStart(8, '0');
}

/** Throws `internal` for what JSON cannot hold (undefined, functions, bigints). */
export function encodeRecord(key: string, value: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    throw new LimpetError('internal', `record '${key}' is no JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (json === undefined)
    throw new LimpetError('internal', `record '${key}' is no JSON: ${typeof value}`);
  return checksum(key, json) + json;
}

export function decodeRecord(key: string, text: string): Decoded {
  const json = text.slice(8);
  const expected = checksum(key, json);
  if (text.slice(0, 8) !== expected)
    return { ok: false, reason: `checksum ${text.slice(0, 8)} where ${expected} was expected` };
  try {
    return { ok: true, value: JSON.parse(json) };
  } catch (error) {
    return { ok: false, reason: `no JSON: ${messageOf(error)}` };
  }
}

/** `get` throws what `scan` reports. */
export function corruptError(key: string, reason: string): LimpetError {
  return new LimpetError('store-corrupt', `record '${key}' of the store is damaged: ${reason}`);
}

/** The quarantine keeps the bytes as found, as a JSON string under a checksum of its own. */
export function quarantineKey(key: string): string {
  return `quarantine/${key}`;
}

/** The order of keys: that of their UTF-8 bytes. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Sorts after every key with the same beginning. */
export const LAST = '\u{10ffff}';
