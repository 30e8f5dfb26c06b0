/** The jobs of a chaos run: each keeps its own ledger, writes numbered lines and ends with a code that is known before. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { batchJob, dockerTask, local, processTask, wasmTask } from '../kit/job-specs.ts';
import type { JsonObject } from '../kit/test-agent.ts';
import type { Random } from './random.ts';

export const KINDS = ['wasm', 'ledger', 'process', 'docker'] as const;
export type Kind = (typeof KINDS)[number];

export interface Work {
  readonly name: string;
  readonly kind: Kind;
  readonly lines: number;
  readonly everyMs: number;
  readonly code: number;
  /** Appended to by the work itself: `start` (or `begin`), then `end`. */
  readonly ledger: string;
}

/** How often each kind comes, out of all of these together. */
export type Shares = Readonly<Record<Kind, number>>;

export function nextWork(random: Random, n: number, folder: string, shares: Shares): Work {
  const name = `chaos-${n}`;
  const kind = drawn(random, shares);
  const lines = random.within(2, 12);
  const everyMs = random.within(5, 120);
  const code = random.next() < 0.15 ? random.within(1, 9) : 0;
  return { name, kind, lines, everyMs, code, ledger: join(folder, name) };
}

function drawn(random: Random, shares: Shares): Kind {
  let at = random.next() * KINDS.reduce((sum, kind) => sum + shares[kind], 0);
  return KINDS.find((kind) => (at -= shares[kind]) < 0) ?? 'wasm';
}

/** `wasm` is a module by its path on the nodes: one that came with every job would fill the requester's store. */
export function jobOf(work: Work, folder: string): JsonObject {
  return {
    ...batchJob({ ...taskOf(work, folder), Resources: { CPU: '100m', Memory: '64Mi' } }),
    Name: work.name,
  };
}

function taskOf({ kind, name, lines, everyMs, code, ledger }: Work, folder: string): JsonObject {
  const mounted = { InputSources: [local(folder, '/ledger', true)] };
  switch (kind) {
    case 'ledger':
      return { Engine: { Type: kind, Params: { File: ledger, Lines: lines, Code: code } } };
    case 'process':
      return processTask(scriptOf(ledger, { lines, everyMs, code }));
    case 'docker':
      return dockerTask(scriptOf(`/ledger/${name}`, { lines, everyMs, code }), mounted);
    case 'wasm':
      return wasmTask(
        'ledger',
        [`/ledger/${name}`, ...[lines, everyMs, code].map(String)],
        mounted,
      );
  }
}

function scriptOf(
  ledger: string,
  { lines, everyMs, code }: Pick<Work, 'lines' | 'everyMs' | 'code'>,
): string {
  const note = (word: string): string => `echo "${word} $LIMPET_EXECUTION_ID $$" >>${ledger}`;
  const loop = `i=1; while [ $i -le ${lines} ]; do echo "line $i"; sleep ${everyMs / 1000}; i=$((i+1)); done`;
  return `${note('start')}; ${loop}; ${note('end')}; exit ${code}`;
}

export interface LedgerCount {
  readonly starts: number;
  readonly ends: number;
}

export function readLedger({ ledger }: Work): LedgerCount {
  const lines = readIfThere(ledger).split('\n');
  const count = (words: RegExp): number => lines.filter((line) => words.test(line)).length;
  return { starts: count(/^(start|begin)\b/), ends: count(/^end\b/) };
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
