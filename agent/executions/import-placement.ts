/**
 * The placement of a run that has no record, rebuilt from `run.json` in its folder, which its plugin makes anew from labels
 * when it is gone. What was never written there is named: it stays unknown until the owner sends the placement again.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { parseExecutionId, parseJobId, type JobId, type NodeId } from '../../core/ids.ts';
import { JOB_KINDS, type FencingToken, type Placement, type Task } from '../../core/job.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';

const specSchema = z.object({
  specHash: z.string(),
  jobId: z.string(),
  jobName: z.string(),
  kind: z.enum(JOB_KINDS).catch('batch'),
  owner: z.string(),
  token: z.string(),
  params: z.record(z.string(), z.unknown()).catch({}),
  env: z.record(z.string(), z.string()),
  mounts: z.array(z.object({ source: z.string(), target: z.string() })),
  limits: z.object({ cpuMillis: z.number(), memoryBytes: z.number(), diskBytes: z.number() }),
  network: z.enum(['none', 'default', 'host', 'bridge', 'http']).catch('none'),
  deadlineAt: z.number(),
  digest: z.string(),
});
type Spec = z.infer<typeof specSchema>;
const fileSchema = z.object({ spec: specSchema, rebuilt: z.boolean().default(false) });
type RunFile = z.infer<typeof fileSchema>;

export interface Rebuilt {
  readonly placement: Placement;
  readonly digest: string;
  /** In words for people. */
  readonly unknown: readonly string[];
}

export interface ImportPlace {
  readonly executor: string;
  readonly nodeId: NodeId;
  /** `<data>/runs` */
  readonly runsDir: string;
}

/** Of a token that could not be read: no owner ever gave out this one. */
export const UNKNOWN_ATTEMPT = -1;
const NO_JOB = parseJobId('j-00000000-0000-0000-0000-000000000000');
const NEVER_WRITTEN = ['namespace', 'publisher', 'input sources', 'meta', 'time-outs'] as const;
const REBUILT = ['params', 'environment', 'limits'] as const;
const NO_FILE = 'run.json, and with it owner, token, params, limits and deadline';

/** Errors: `invalid-id` when the run carries no execution id of ours. */
export async function rebuildPlacement(run: ObservedRun, place: ImportPlace): Promise<Rebuilt> {
  const folder = join(place.runsDir, place.executor, run.executionId, String(run.run));
  const file = await readRunFile(join(folder, 'run.json'));
  return file === undefined
    ? { placement: bare(run, place), digest: '', unknown: [...NEVER_WRITTEN, NO_FILE] }
    : fromSpec(file, { run, place, outputs: join(folder, 'outputs/') });
}

async function readRunFile(file: string): Promise<RunFile | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return fileSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function bare(run: ObservedRun, { executor, nodeId }: ImportPlace): Placement {
  return {
    executionId: parseExecutionId(run.executionId),
    jobId: NO_JOB,
    jobName: '',
    namespace: '',
    nodeId,
    owner: '',
    kind: 'batch',
    token: { jobVersion: 0, partition: 0, attempt: UNKNOWN_ATTEMPT },
    count: 1,
    specHash: run.specHash ?? '',
    task: {
      Name: 'main',
      Engine: { Type: executor },
      Resources: {},
      Network: { Type: 'none' },
      Timeouts: {},
    },
  };
}

function fromSpec(
  { spec, rebuilt }: RunFile,
  {
    run,
    place,
    outputs,
  }: { readonly run: ObservedRun; readonly place: ImportPlace; readonly outputs: string },
): Rebuilt {
  const jobId = jobOf(spec.jobId);
  const token = tokenOf(spec.token);
  const placement: Placement = {
    ...bare(run, place),
    jobId: jobId ?? NO_JOB,
    jobName: spec.jobName,
    owner: spec.owner,
    kind: spec.kind,
    ...(token === undefined ? {} : { token }),
    count: Number(spec.env['LIMPET_PARTITION_COUNT'] ?? '1') || 1,
    specHash: spec.specHash,
    task: taskOf(spec, place.executor, outputs),
    ...(spec.deadlineAt > 0 ? { deadlineAt: spec.deadlineAt } : {}),
  };
  const unknown = [
    ...NEVER_WRITTEN,
    ...(rebuilt ? REBUILT : []),
    ...(jobId === undefined ? ['job'] : []),
    ...(token === undefined ? ['token'] : []),
  ];
  return { placement, digest: spec.digest, unknown };
}

/** What this node had told the run beside the task's own environment is told to each run again. */
const TOLD = /^(LIMPET|BACALHAU)_(EXECUTION_ID|JOB_ID|JOB_TYPE|PARTITION_INDEX|PARTITION_COUNT)$/;

function taskOf(spec: Spec, executor: string, outputs: string): Task {
  const { cpuMillis, memoryBytes, diskBytes } = spec.limits;
  const results = spec.mounts.filter(({ source }) => source.startsWith(outputs));
  return {
    Name: 'main',
    Engine: { Type: executor, Params: spec.params },
    Env: Object.fromEntries(Object.entries(spec.env).filter(([name]) => !TOLD.test(name))),
    ResultPaths: results.map(({ source, target }) => ({
      Name: source.slice(outputs.length),
      Path: target,
    })),
    // Where they were to go is not known: they are kept here rather than deleted with the run.
    ...(results.length === 0 ? {} : { Publisher: { Type: 'local' } }),
    Resources: {
      ...(cpuMillis > 0 ? { CPU: `${Math.floor(cpuMillis)}m` } : {}),
      ...(memoryBytes > 0 ? { Memory: String(Math.floor(memoryBytes)) } : {}),
      ...(diskBytes > 0 ? { Disk: String(Math.floor(diskBytes)) } : {}),
    },
    Network: { Type: spec.network },
    Timeouts: {},
  };
}

function jobOf(text: string): JobId | undefined {
  try {
    return parseJobId(text);
  } catch {
    return undefined;
  }
}

function tokenOf(text: string): FencingToken | undefined {
  const [, version, partition, attempt] = /^(\d+)\.(\d+)\.(\d+)$/.exec(text) ?? [];
  if (version === undefined || partition === undefined || attempt === undefined) return undefined;
  return { jobVersion: Number(version), partition: Number(partition), attempt: Number(attempt) };
}
