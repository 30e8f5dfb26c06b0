/**
 * The runner's control socket: one JSON object a line.
 *   runner -> plugin  hello (on connect, and in answer to status), claimed, declined, ended
 *   plugin -> runner  assign (to an idle one), orders (read the files `stop` and `until` of the run now), status, retire (when idle)
 * Orders themselves are files in the run folder; the socket only makes them quick.
 */
import type { GuestMount } from './wasi/tree.ts';
import type { Identity } from './record.ts';

export const RUNNER_PROTOCOL = 1;

export interface RunName {
  readonly executionId: string;
  readonly run: number;
}

export interface GuestCall {
  /** An export without parameters: `_start` of a command, or an Extism function. */
  readonly function: string;
  /** Present for the Extism form; its output goes to stdout. */
  readonly input?: string;
  readonly config: Readonly<Record<string, string>>;
}

/** Everything a runner needs; with it in hand it needs no further word. */
export interface Assignment {
  readonly name: RunName;
  /** A runner serves runs of one owner only. */
  readonly owner: string;
  readonly folder: string;
  readonly modulePath: string;
  readonly call: GuestCall;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly GuestMount[];
  /** Absolute path of a file in the guest's tree. */
  readonly stdin?: string;
  readonly memoryPages: number;
  readonly maxOutputBytes: number;
  readonly maxDiskBytes: number;
  readonly maxFiles: number;
  /** Absolute, in ms; 0 is none. */
  readonly deadlineAt: number;
}

export interface Held extends RunName {
  /** When it was claimed, ms. */
  readonly at?: number;
}

export interface Hello {
  readonly type: 'hello';
  readonly protocol: number;
  readonly identity: Identity;
  readonly holds: Held | null;
  /** Whose runs it has served. */
  readonly owner?: string;
}

export type FromRunner =
  | Hello
  /** `startedAt`: the time of the claim, in whole ms. */
  | { readonly type: 'claimed'; readonly startedAt: number }
  | {
      readonly type: 'declined';
      readonly why: 'busy' | 'exists' | 'failed';
      readonly message: string;
    }
  /** `free`: it takes another run now; else the connection ends. `record`: what the exit record says. */
  | { readonly type: 'ended'; readonly free?: boolean; readonly record?: string };

export type ToRunner =
  | { readonly type: 'assign'; readonly assignment: Assignment }
  | { readonly type: 'orders' }
  | { readonly type: 'status' }
  | { readonly type: 'retire' };

const FROM_RUNNER: readonly string[] = ['hello', 'claimed', 'declined', 'ended'];
const TO_RUNNER: readonly string[] = ['assign', 'orders', 'status', 'retire'];

function parse(line: string, types: readonly string[]): unknown {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('type' in value)) return undefined;
  return types.includes(String(value.type)) ? value : undefined;
}

/** Both ends are of one build (see RUNNER_PROTOCOL) and share a 0700 folder; undefined for anything else. */
export function parseFromRunner(line: string): FromRunner | undefined {
  return parse(line, FROM_RUNNER) as FromRunner | undefined;
}

export function parseToRunner(line: string): ToRunner | undefined {
  return parse(line, TO_RUNNER) as ToRunner | undefined;
}

/** Splits a byte stream into lines; a line above the bound is dropped with everything that belongs to it. */
export function lineSplitter(
  onLine: (line: string) => void,
  maxBytes = 4 * 2 ** 20,
): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      onLine(rest.subarray(0, end).toString('utf8'));
      rest = rest.subarray(end + 1);
    }
    if (rest.byteLength > maxBytes) rest = Buffer.alloc(0);
  };
}
