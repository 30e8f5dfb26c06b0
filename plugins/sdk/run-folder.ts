/** The folder of a run and its `run.json`: `<runs dir>/<execution id>/<run>/run.json`. See the end of `types.ts`. */
import { rmdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { makeFolders, removeFolder } from '../../adapters/durable/folders.ts';
import { ignore, readIfThere } from '../../adapters/durable/if-there.ts';
import { writeDurably } from '../../adapters/durable/write-durably.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { RunKey, RunSpec } from './types.ts';

const VERSION = 1;

const runFile = z.object({
  version: z.literal(VERSION),
  spec: z.object({
    key: z.object({ executionId: z.string(), run: z.number().int().min(0) }),
    specHash: z.string(),
    jobId: z.string(),
    jobName: z.string(),
    kind: z.string(),
    owner: z.string(),
    token: z.string(),
    params: z.unknown(),
    env: z.record(z.string(), z.string()),
    mounts: z.array(z.object({ source: z.string(), target: z.string(), readOnly: z.boolean() })),
    limits: z.object({
      cpuMillis: z.number(),
      memoryBytes: z.number(),
      pids: z.number(),
      diskBytes: z.number(),
    }),
    network: z.string(),
    deadlineAt: z.number(),
    digest: z.string(),
    stopGraceMs: z.number(),
  }),
});

/** What a run's owner is told by: of its spec all that names it, and nothing of the work. */
export const runLabels = runFile.shape.spec.pick({
  ...{ specHash: true, jobId: true, jobName: true, kind: true, owner: true, token: true },
  deadlineAt: true,
});
export type RunLabels = z.infer<typeof runLabels>;

export function keyText(key: RunKey): string {
  return `${key.executionId}/${key.run}`;
}

/** Ids become names of folders: one plain name, or `invalid-id`. */
export function checkExecutionId(executionId: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(executionId)) return executionId;
  throw new LimpetError(
    'invalid-id',
    `execution id '${executionId}' is not valid; expected letters, digits, '-', '_' and '.'`,
  );
}

export function runFolder(runsDir: string, key: RunKey): string {
  return join(runsDir, checkExecutionId(key.executionId), String(key.run));
}

/** Makes the folder and writes `run.json`; everything, names included, is on disk when this resolves. */
export async function writeRun(
  runsDir: string,
  spec: RunSpec,
  { rebuilt = false } = {},
): Promise<void> {
  const { executionId, run } = spec.key;
  const { folder, parents } = makeFolders(runsDir, checkExecutionId(executionId), String(run));
  const text = JSON.stringify({ version: VERSION, ...(rebuilt ? { rebuilt } : {}), spec });
  await writeDurably(join(folder, 'run.json'), text, { parents });
}

/** undefined when there is none. Errors: `store-corrupt`; `version-mismatch` when a newer version wrote it. */
export function readRun(runsDir: string, key: RunKey): RunSpec | undefined {
  const file = join(runFolder(runsDir, key), 'run.json');
  const text = readIfThere(file);
  if (text === undefined) return undefined;
  try {
    const json: unknown = JSON.parse(text);
    if (isNewer(json))
      throw new LimpetError('version-mismatch', `${file} was written by a newer version`);
    return runFile.parse(json).spec;
  } catch (thrown) {
    if (thrown instanceof LimpetError) throw thrown;
    const why = thrown instanceof z.ZodError ? z.prettifyError(thrown) : messageOf(thrown);
    throw new LimpetError('store-corrupt', `${file} cannot be read: ${why}`, { cause: thrown });
  }
}

/** Every (execution id, run) that has a folder, whatever is in it. */
export async function listRunFolders(runsDir: string): Promise<readonly RunKey[]> {
  const keys: RunKey[] = [];
  for (const executionId of await readdir(runsDir).catch(ignore('ENOENT', []))) {
    const runs = await readdir(join(runsDir, executionId)).catch(() => []);
    for (const run of runs.filter((name) => /^\d+$/.test(name)))
      keys.push({ executionId, run: Number(run) });
  }
  return keys;
}

/** Deletes the folder, and the execution's when it was the last. Nothing there is fine. */
export async function removeRun(runsDir: string, key: RunKey): Promise<void> {
  await removeFolder(runFolder(runsDir, key));
  try {
    rmdirSync(join(runsDir, key.executionId));
  } catch {
    // Another run of it is there, or nothing.
  }
}

function isNewer(json: unknown): boolean {
  return (
    typeof json === 'object' &&
    json !== null &&
    'version' in json &&
    typeof json.version === 'number' &&
    json.version > VERSION
  );
}
