/**
 * Branded identifiers. An id is made only by its parse function or by `mintId`.
 * Wire form: one letter, a dash, a lower-case UUID (`e-0193...`); node ids may be any `n-` plus lower-case letters,
 * digits and dashes. UUIDs are version 7 (time ordered), so people tell them apart by their random tail.
 */
import { LimpetError } from './errors.ts';

declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

export type JobId = Brand<string, 'JobId'>;
export type ExecutionId = Brand<string, 'ExecutionId'>;
export type NodeId = Brand<string, 'NodeId'>;
export type EvaluationId = Brand<string, 'EvaluationId'>;

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const JOB = new RegExp(`^j-${UUID}$`);
const EXECUTION = new RegExp(`^e-${UUID}$`);
const EVALUATION = new RegExp(`^v-${UUID}$`);
const NODE = /^n-[a-z0-9][a-z0-9-]{0,62}$/;

function parser<T extends string>(what: string, pattern: RegExp, expected: string) {
  return (text: string): T => {
    if (pattern.test(text)) return text as T;
    throw new LimpetError('invalid-id', `${what} id '${text}' is not valid; expected ${expected}`);
  };
}

export const parseJobId = parser<JobId>('job', JOB, 'j- and a UUID');
export const parseExecutionId = parser<ExecutionId>('execution', EXECUTION, 'e- and a UUID');
export const parseEvaluationId = parser<EvaluationId>('evaluation', EVALUATION, 'v- and a UUID');
export const parseNodeId = parser<NodeId>(
  'node',
  NODE,
  'n- and at most 63 lower-case letters, digits and dashes',
);

/** Milliseconds since the epoch plus 10 random bytes to a version 7 UUID; pure, so that tests can fix both. */
export function uuidV7(nowMs: number, random: Uint8Array): string {
  const bytes = new Uint8Array(16);
  let time = Math.floor(nowMs);
  for (let i = 5; i >= 0; i--) {
    bytes[i] = time % 256;
    time = Math.floor(time / 256);
  }
  bytes.set(random.subarray(0, 10), 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** When an id of ours was made, ms since the epoch. */
export function mintedAt(id: string): number {
  return Number.parseInt(id.slice(2).replaceAll('-', '').slice(0, 12), 16);
}

/** The part people see and type: the kind letter and the last 8 characters, which are random. */
export function shortId(id: string): string {
  return id.length <= 10 ? id : id.slice(-8);
}

/** True when `text` names `id`: whole, by a prefix (with or without the kind letter), or by a suffix. */
export function idMatches(id: string, text: string): boolean {
  if (text === '') return false;
  return id === text || id.startsWith(text) || id.slice(2).startsWith(text) || id.endsWith(text);
}
