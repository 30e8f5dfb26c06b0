/**
 * Claims an execution that a node shows and this store does not have, although it has its job: the store is an old copy,
 * and a newer self has placed it. The record is made of what the node shows; the report that follows fills it in.
 */
import type { ExecutionState } from '../../core/execution/states.ts';
import { mintedAt, parseExecutionId, parseJobId, type JobId, type NodeId } from '../../core/ids.ts';
import { perNode, type FencingToken } from '../../core/job.ts';
import { partitionOf } from '../scheduling/partitions.ts';
import type { Draft } from '../state/draft.ts';
import { executionOfKey, liveKey, tailKey } from '../state/keys.ts';
import type { Reader } from '../state/reader.ts';
import type { ExecutionRecord, JobRecord } from '../state/records.ts';

export interface ShownExecution {
  readonly executionId: string;
  readonly jobId?: string | undefined;
  readonly token: FencingToken;
  readonly state: ExecutionState;
  readonly deadlineAt?: number | undefined;
}

/** Undefined: nothing here tells that it is ours. */
export async function claim(
  { reader, draft }: { readonly reader: Reader; readonly draft: Draft },
  nodeId: NodeId,
  shown: ShownExecution,
): Promise<ExecutionRecord | undefined> {
  const { token } = shown;
  const job = await jobOf(reader, draft, shown.jobId);
  if (job === undefined || token.attempt < 0) return undefined;
  const aimed = aimedAt(job, nodeId);
  if (partitionOf(aimed, { token, nodeId }) === undefined) return undefined;
  await recall(reader, draft, job);
  const execution = recordOf(aimed, { nodeId, shown, now: draft.now });
  const { id } = execution;
  draft.putJob(aimed);
  draft.putExecution(execution);
  draft.op({ type: 'put', key: liveKey(job.id), value: '' });
  draft.op({ type: 'put', key: executionOfKey(job.id, id), value: '' });
  draft.op({ type: 'put', key: tailKey('exec', id), value: id });
  draft.history(job.id, {
    topic: 'Scheduling',
    message: `Claimed from ${nodeId}, which shows it as ${shown.state}: it was placed there, and this store is older`,
    executionId: id,
    details: { NodeID: nodeId },
  });
  return execution;
}

async function jobOf(
  reader: Reader,
  draft: Draft,
  text: string | undefined,
): Promise<JobRecord | undefined> {
  const id = jobIdOf(text);
  return id === undefined ? undefined : (draft.job(id) ?? (await reader.job(id)));
}

/** A job that was over is in the world again, and there with all its executions. */
async function recall(reader: Reader, draft: Draft, job: JobRecord): Promise<void> {
  if (draft.job(job.id) !== undefined) return;
  for (const execution of await reader.executionsOf(job.id)) draft.putExecution(execution);
}

function jobIdOf(text = ''): JobId | undefined {
  try {
    return parseJobId(text);
  } catch {
    return undefined;
  }
}

/** Ops and daemon: a node that runs it is one of its nodes. */
function aimedAt(job: JobRecord, node: NodeId): JobRecord {
  const known = job.nodes ?? [];
  if (!perNode(job.spec.Type) || known.includes(node)) return job;
  return { ...job, nodes: [...known, node] };
}

/** Revision 0, so that every report of it counts. */
function recordOf(
  job: JobRecord,
  {
    nodeId,
    shown,
    now,
  }: { readonly nodeId: NodeId; readonly shown: ShownExecution; readonly now: number },
): ExecutionRecord {
  const { token, state, deadlineAt } = shown;
  return {
    v: 1,
    id: parseExecutionId(shown.executionId),
    jobId: job.id,
    nodeId,
    evaluationId: job.evaluationId,
    token,
    wanted: job.wanted,
    executor: job.spec.Tasks[0].Engine.Type,
    desired: 'run',
    desiredReason: '',
    state,
    revision: 0,
    run: 0,
    reason: '',
    placedAt: mintedAt(shown.executionId),
    modifiedAt: now,
    ...(deadlineAt === undefined ? {} : { deadlineAt }),
  };
}
