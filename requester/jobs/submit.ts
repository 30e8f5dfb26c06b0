/** Takes a job: parsed, checked against what this requester can do, stored and scheduled in the same turn. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../../core/canonical-json.ts';
import { LimpetError } from '../../core/errors.ts';
import type { EvaluationId, JobId } from '../../core/ids.ts';
import { leaseOf } from '../../core/job-restart.ts';
import { parseJobSpec } from '../../core/job-spec.ts';
import { isTerminalJobState, type JobSpec, type ResourcesSpec } from '../../core/job.ts';
import { parseBytes, parseCpu, type Resources } from '../../core/resources.ts';
import type { SchemaShelf } from '../nodes/schema-shelf.ts';
import type { Coordinator } from '../state/coordinator.ts';
import type { Draft } from '../state/draft.ts';
import { jobNameKey, liveKey, tailKey } from '../state/keys.ts';
import type { Mint } from '../state/minting.ts';
import type { Reader } from '../state/reader.ts';
import type { JobRecord } from '../state/records.ts';
import { checkParams } from './check-params.ts';

export interface Submitter {
  readonly coordinator: Coordinator;
  readonly reader: Reader;
  readonly mint: Mint;
  readonly schemas: SchemaShelf;
  /** A placement has to fit one message. */
  readonly maxSpecBytes: number;
  /** What `Disconnect: {StopAfter}` may ask for. */
  readonly lease: { readonly leastMs: number; readonly mostMs: number };
  /** Name of the caller's token. */
  readonly submittedBy?: string | undefined;
}

export interface Submitted {
  readonly jobId: JobId;
  readonly evaluationId: EvaluationId;
  readonly warnings: readonly string[];
}

/** Errors: `invalid-job` (its params too, where nodes have told what they take), `too-large`, `already-exists` (name of a live job). */
export function submitJob(by: Submitter, data: unknown): Promise<Submitted> {
  const { spec, warnings } = parseJobSpec(data, 'lenient');
  checkLease(spec, by.lease);
  checkSize(spec, by.maxSpecBytes);
  const specHash = createHash('sha256')
    .update(canonicalJson(rawTask(data)))
    .digest('hex');
  return by.coordinator.run(async (draft) => {
    checkParams(draft.nodes(), by.schemas, spec.Tasks[0].Engine);
    if (spec.Name !== undefined)
      await checkName(draft, by.reader, { namespace: spec.Namespace, name: spec.Name });
    const job = newJob(spec, specHash, { ...by, now: draft.now });
    store(draft, job);
    return { jobId: job.id, evaluationId: job.evaluationId, warnings };
  });
}

/** A node that is silent for longer than its lease has ended the work before this requester gives the node up. */
function checkLease(spec: JobSpec, { leastMs, mostMs }: Submitter['lease']): void {
  const leaseMs = leaseOf(spec);
  if (leaseMs === undefined || (leaseMs >= leastMs && leaseMs <= mostMs)) return;
  const range = `${leastMs / 1000}s to ${mostMs / 1000}s`;
  throw new LimpetError(
    'invalid-job',
    `Disconnect.StopAfter is ${leaseMs / 1000}s; expected ${range}: two heartbeats at the least, less than this requester waits for a silent node at the most`,
  );
}

function checkSize(spec: JobSpec, maxBytes: number): void {
  const bytes = Buffer.byteLength(JSON.stringify(spec.Tasks[0]));
  if (bytes > maxBytes)
    throw new LimpetError(
      'too-large',
      `the task takes ${bytes} bytes, and a node is told at most ${maxBytes}; hand large inputs over with a local source`,
    );
}

async function checkName(
  draft: Draft,
  reader: Reader,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<void> {
  const live = [...draft.jobs()].find(
    (job) => job.name === name && job.spec.Namespace === namespace,
  );
  const holder = live ?? (await reader.jobByName(namespace, name));
  if (holder !== undefined && !isTerminalJobState(draft.job(holder.id)?.state ?? holder.state))
    throw new LimpetError(
      'already-exists',
      `job '${name}' is ${holder.state.toLowerCase()} as ${holder.id}; stop it first, or take another name (updates are not supported yet)`,
    );
}

function newJob(
  spec: JobSpec,
  specHash: string,
  { mint, now, submittedBy }: Pick<Submitter, 'mint' | 'submittedBy'> & { readonly now: number },
): JobRecord {
  const id = mint.job();
  return {
    v: 1,
    id,
    spec,
    name: spec.Name ?? id,
    specHash,
    wanted: wantedBy(spec.Tasks[0].Resources),
    version: 1,
    revision: 1,
    state: 'Pending',
    message: '',
    evaluationId: mint.evaluation(),
    createdAt: now,
    modifiedAt: now,
    historySeq: 0,
    ...(submittedBy === undefined ? {} : { submittedBy }),
  };
}

function store(draft: Draft, job: JobRecord): void {
  draft.putJob(job);
  draft.op({ type: 'put', key: liveKey(job.id), value: '' });
  draft.op({ type: 'put', key: tailKey('job', job.id), value: job.id });
  draft.op({ type: 'put', key: jobNameKey(job.spec.Namespace, job.name), value: job.id });
  draft.history(job.id, { topic: 'Submission', message: 'Job submitted' });
}

function wantedBy({ CPU = '0', Memory = '0', Disk = '0', GPU = '0' }: ResourcesSpec): Resources {
  return {
    cpuMillis: parseCpu(CPU),
    memoryBytes: parseBytes(Memory),
    diskBytes: parseBytes(Disk, 'disk'),
    gpus: Number(GPU),
  };
}

/** The task as it was sent, in the sender's own spelling. It has been parsed before, so it is there. */
function rawTask(data: unknown): unknown {
  const tasks: unknown = Object.entries(data ?? {}).find(
    ([key]) => key.toLowerCase() === 'tasks',
  )?.[1];
  return Array.isArray(tasks) ? (tasks[0] ?? null) : null;
}
