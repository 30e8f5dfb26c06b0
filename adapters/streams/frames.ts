/** The messages of a stream, both ways, as bytes: kinds and bounds of port.ts. */
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import type { CloseCode, StreamEnd } from './port.ts';

export const WINDOW_BYTES = 256 * 1024;
export const CHUNK_BYTES = 64 * 1024;
export const HEAD_BYTES = 5;
/** Numbers of chunks go round. */
const NUMBERS = 2 ** 32;
/** Of the word for people in an end. */
const MESSAGE_CHARACTERS = 1_000;
const DATA = 0;
const END = 1;

const CLOSE_CODES = [
  'finished',
  'reader-gone',
  'requester-gone',
  'agent-gone',
  'retention',
  'error',
] as const satisfies readonly CloseCode[];

const endSchema = z.object({ code: z.enum(CLOSE_CODES), message: z.string() });
const creditSchema = z.union([
  z.object({ bytes: z.number().int().nonnegative() }),
  z.object({ cancel: z.literal(true) }),
]);
export type Credit = z.infer<typeof creditSchema>;

export type Chunk =
  | { readonly kind: 'data'; readonly sequence: number; readonly bytes: Uint8Array }
  | { readonly kind: 'end'; readonly sequence: number; readonly end: StreamEnd };

/** Before the data that is in the chunk already. */
export function writeDataHead(chunk: Buffer, sequence: number): void {
  writeHead(chunk, DATA, sequence);
}

export function encodeEnd(sequence: number, { code, message }: StreamEnd): Uint8Array {
  const end = encodeJson({ code, message: message.slice(0, MESSAGE_CHARACTERS) });
  const out = Buffer.allocUnsafe(HEAD_BYTES + end.length);
  writeHead(out, END, sequence);
  out.set(end, HEAD_BYTES);
  return out;
}

function writeHead(message: Buffer, kind: number, sequence: number): void {
  message.writeUInt8(kind, 0);
  message.writeUInt32BE(sequence, 1);
}

export function numberAfter(sequence: number): number {
  return (sequence + 1) % NUMBERS;
}

/** Of two numbers that are less than half a round apart. */
export function isBefore(sequence: number, other: number): boolean {
  const ahead = (other - sequence + NUMBERS) % NUMBERS;
  return ahead > 0 && ahead < NUMBERS / 2;
}

/** Errors: `invalid-argument`. */
export function decodeChunk(payload: Uint8Array): Chunk {
  if (payload.length < HEAD_BYTES) throw bad(`${payload.length} bytes`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const sequence = view.getUint32(1);
  const bytes = payload.subarray(HEAD_BYTES);
  const kind = view.getUint8(0);
  if (kind === DATA) return { kind: 'data', sequence, bytes };
  if (kind === END) return { kind: 'end', sequence, end: endSchema.parse(decodeJson(bytes)) };
  throw bad(`kind ${kind}`);
}

export function isEnd(payload: Uint8Array): boolean {
  return payload[0] === END;
}

export function encodeCredit(credit: Credit): Uint8Array {
  return encodeJson(credit);
}

/** Errors: `invalid-argument`. */
export function decodeCredit(payload: Uint8Array): Credit {
  const parsed = creditSchema.safeParse(decodeJson(payload));
  if (!parsed.success) throw bad('no credit');
  return parsed.data;
}

export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

export function decodeJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(payload));
  } catch (cause) {
    throw new LimpetError('invalid-argument', 'a stream message is no JSON', { cause });
  }
}

function bad(what: string): LimpetError {
  return new LimpetError('invalid-argument', `a stream message is not valid: ${what}`);
}
