/**
 * Work that leaves its own evidence outside of Limpet: each run of it appends `begin` to a ledger, prints numbered lines,
 * appends `end` and exits. So the ledger tells how often it ran, and its file time when it ended.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { dockerTask, lines, local, processTask, wasmTask } from '../kit/job-specs.ts';
import type { JsonObject } from '../kit/test-agent.ts';

export const EXECUTORS = ['docker', 'wasm', 'process', 'shell'] as const;
export type ExecutorName = (typeof EXECUTORS)[number];

const INSIDE = '/work';

export interface WorkOrder {
  /** On this host. The work may write it. */
  readonly folder: string;
  readonly lines: number;
  readonly everyMs: number;
  readonly code: number;
}

/** It is published, so that it passes through every state. */
export function taskOf(executor: ExecutorName, order: WorkOrder): JsonObject {
  return { ...plainTask(executor, order), Publisher: { Type: 'local' } };
}

function plainTask(executor: ExecutorName, order: WorkOrder): JsonObject {
  const InputSources = [local(order.folder, INSIDE, true)];
  switch (executor) {
    case 'docker':
      return dockerTask(script(order, INSIDE), { InputSources });
    case 'wasm': {
      const args = [`${INSIDE}/ledger`, ...[order.lines, order.everyMs, order.code].map(String)];
      return wasmTask('ledger', args, { InputSources });
    }
    case 'process':
      return processTask(script(order, order.folder));
    case 'shell':
      return { Engine: { Type: 'shell', Params: { Script: script(order, order.folder) } } };
  }
}

/** All that the work writes to stdout, and to stderr. */
export function outputOf(order: WorkOrder): { readonly stdout: string; readonly stderr: string } {
  return { stdout: lines(order.lines), stderr: 'over\n' };
}

export interface Ledger {
  readonly entries: readonly string[];
  /** When the last entry was made, ms; 0 without any. */
  readonly writtenAt: number;
}

export function readLedger(folder: string): Ledger {
  const file = join(folder, 'ledger');
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) return { entries: [], writtenAt: 0 };
  const entries = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return { entries, writtenAt: found.mtimeMs };
}

function script({ lines: count, everyMs, code }: WorkOrder, folder: string): string {
  return [
    `echo begin >>${folder}/ledger`,
    'i=1',
    `while [ $i -le ${count} ]; do echo "line $i"; sleep ${everyMs / 1000}; i=$((i+1)); done`,
    'echo over >&2',
    `echo end >>${folder}/ledger`,
    `exit ${code}`,
  ].join('\n');
}
