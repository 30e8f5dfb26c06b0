/** Jobs for tests: one task each, as plain objects that go into a job file or a request. */
import { readFileSync } from 'node:fs';
import { BUSYBOX_IMAGE } from '../../fixtures/image/busybox.mjs';
import { distPath } from './program.ts';
import type { JsonObject } from './test-agent.ts';

/** A batch job with one task of these fields; `job` is laid over the job itself. */
export function batchJob(task: JsonObject, job: JsonObject = {}): JsonObject {
  return { Type: 'batch', Count: 1, ...job, Tasks: [{ Name: 'main', ...task }] };
}

/** A module of fixtures/wasm with its arguments. */
export function wasmTask(
  module: string,
  args: readonly string[],
  more: JsonObject = {},
): JsonObject {
  const { InputSources, ...task } = more;
  const target = `/module/${module}.wasm`;
  const inputs = Array.isArray(InputSources) ? InputSources : [];
  return {
    Engine: { Type: 'wasm', Params: { EntryModule: target, Parameters: args } },
    ...task,
    InputSources: [
      inline(readFileSync(distPath(`fixtures/wasm/${module}.wasm`)), target),
      ...inputs,
    ],
  };
}

/** A batch job of one run that writes `line 1` to `line TICKS`, one each 100 ms. */
export function tickerJob(ticks: number): JsonObject {
  return batchJob(wasmTask('ticker', [String(ticks), '100']));
}

/** What that writes. */
export function tickerLines(ticks: number): string {
  return Array.from({ length: ticks }, (_, i) => `line ${i + 1}\n`).join('');
}

/** A shell script on the host. */
export function processTask(script: string, more: JsonObject = {}): JsonObject {
  return { Engine: { Type: 'process', Params: { Command: ['sh', '-c', script] } }, ...more };
}

/** A shell script in a busybox container. */
export function dockerTask(script: string, more: JsonObject = {}): JsonObject {
  const Params = { Image: BUSYBOX_IMAGE, Parameters: ['sh', '-c', script] };
  return { Engine: { Type: 'docker', Params }, ...more };
}

export function inline(
  bytes: Uint8Array,
  target: string,
  type = 'application/octet-stream',
): JsonObject {
  const URL = `data:${type};base64,${Buffer.from(bytes).toString('base64')}`;
  return { Source: { Type: 'inline', Params: { URL } }, Target: target };
}

export function local(path: string, target: string, writable = false): JsonObject {
  const Params = writable ? { SourcePath: path, ReadWrite: true } : { SourcePath: path };
  return { Source: { Type: 'local', Params }, Target: target };
}

/** What `ticker COUNT` and `tickScript(COUNT)` write. */
export function lines(count: number): string {
  return Array.from({ length: count }, (_, i) => `line ${i + 1}\n`).join('');
}

/** A shell script that writes numbered lines, one each `everyMs`, then ends with this code. */
export function tickScript(count: number, everyMs: number, code = 0): string {
  return `i=1; while [ $i -le ${count} ]; do echo "line $i"; sleep ${everyMs / 1000}; i=$((i+1)); done; exit ${code}`;
}
