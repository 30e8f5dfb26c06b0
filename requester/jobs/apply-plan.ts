/** Turns a plan into records and rows: the execution and its node's row go into the same draft, so into one batch. */
import type { NodeId } from '../../core/ids.ts';
import { leaseOf, restartRule } from '../../core/job-restart.ts';
import { isTerminalJobState, type Placement } from '../../core/job.ts';
import { partitionCount } from '../scheduling/partitions.ts';
import type { Plan, PlannedPlacement } from '../scheduling/plan.ts';
import type { JobChange } from '../scheduling/job-state.ts';
import type { Draft } from '../state/draft.ts';
import { executionOfKey, tailKey } from '../state/keys.ts';
import type { Mint } from '../state/minting.ts';
import type { ExecutionRecord, JobRecord } from '../state/records.ts';

export interface Owner {
  readonly requesterId: string;
  readonly mint: Mint;
}

export function applyPlan(draft: Draft, plan: Plan, owner: Owner): void {
  for (const { job, nodes } of plan.targets) aim(draft, job, nodes);
  for (const placement of plan.placements) place(draft, placement, owner);
  for (const { execution, reason } of plan.stops) stopExecution(draft, execution, reason);
  for (const change of plan.jobs) changeJob(draft, change);
}

function aim(draft: Draft, planned: JobRecord, nodes: readonly NodeId[]): void {
  const job = draft.job(planned.id) ?? planned;
  const added = nodes.length - (job.nodes ?? []).length;
  draft.putJob({ ...job, nodes: [...nodes], revision: job.revision + 1, modifiedAt: draft.now });
  draft.history(job.id, {
    topic: 'Scheduling',
    message: `${added} ${added === 1 ? 'node matches' : 'nodes match'}`,
  });
}

function place(draft: Draft, planned: PlannedPlacement, owner: Owner): void {
  const { job, node, deadlineAt } = planned;
  const id = owner.mint.execution();
  const execution: ExecutionRecord = {
    v: 1,
    id,
    jobId: job.id,
    nodeId: node.record.id,
    evaluationId: job.evaluationId,
    token: { jobVersion: job.version, partition: planned.partition, attempt: planned.attempt },
    wanted: job.wanted,
    executor: job.spec.Tasks[0].Engine.Type,
    desired: 'run',
    desiredReason: '',
    state: 'accepted',
    revision: 0,
    run: 0,
    reason: '',
    placedAt: draft.now,
    modifiedAt: draft.now,
    ...(deadlineAt === undefined ? {} : { deadlineAt }),
  };
  draft.putExecution(execution);
  draft.op({ type: 'put', key: executionOfKey(job.id, id), value: '' });
  draft.op({ type: 'put', key: tailKey('exec', id), value: id });
  draft.send(execution.nodeId, placeRow(job, execution, owner.requesterId));
  draft.history(job.id, {
    topic: 'Scheduling',
    message: `Requested execution on ${execution.nodeId}`,
    executionId: id,
    details: { NodeID: execution.nodeId, Reason: planned.reason },
  });
}

/** Also sent again when a node's outgoing log has to start anew. */
export function placeRow(
  job: JobRecord,
  execution: ExecutionRecord,
  owner: string,
): { type: 'place'; placement: Record<string, unknown> } {
  const leaseMs = leaseOf(job.spec);
  const placement: Placement = {
    executionId: execution.id,
    jobId: job.id,
    jobName: job.name,
    namespace: job.spec.Namespace,
    nodeId: execution.nodeId,
    owner,
    kind: job.spec.Type,
    token: execution.token,
    count: partitionCount(job),
    specHash: job.specHash,
    task: job.spec.Tasks[0],
    ...(execution.deadlineAt === undefined ? {} : { deadlineAt: execution.deadlineAt }),
    restart: restartRule(job.spec.Type, job.spec.RestartPolicy),
    ...(leaseMs === undefined ? {} : { leaseMs }),
  };
  return { type: 'place', placement: { ...placement } };
}

export function stopExecution(draft: Draft, execution: ExecutionRecord, reason: string): void {
  draft.putExecution({
    ...execution,
    desired: 'stop',
    desiredReason: reason,
    modifiedAt: draft.now,
  });
  draft.send(execution.nodeId, { type: 'stop', executionId: execution.id, reason });
  draft.history(execution.jobId, {
    topic: 'Scheduling',
    message: `Execution stop requested because ${reason}`,
    executionId: execution.id,
    details: { NodeID: execution.nodeId },
  });
}

function changeJob(draft: Draft, { job: planned, state, message }: JobChange): void {
  const job = draft.job(planned.id) ?? planned;
  const changed = job.state !== state;
  draft.putJob({ ...job, state, message, revision: job.revision + 1, modifiedAt: draft.now });
  if (!changed) return;
  const failed = state === 'Failed';
  draft.history(job.id, {
    topic: state === 'Queued' ? 'Queueing' : 'State Update',
    message: historyText(state, message),
    details: { NewState: state, ...(failed ? { IsError: 'true' } : {}) },
  });
}

function historyText(state: JobRecord['state'], message: string): string {
  if (state === 'Queued') return `Job queued. ${message}`;
  if (state === 'Failed') return `Job failed: ${message}`;
  if (state === 'Completed') return 'Completed successfully';
  return isTerminalJobState(state) || message === '' ? state : `${state}: ${message}`;
}
