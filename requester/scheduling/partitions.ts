/** What the executions of a job say about each of its partitions. */
import { backoffMs, type Backoff } from '../../core/backoff.ts';
import { describeFailure } from '../../core/execution/outcome.ts';
import { isTerminal } from '../../core/execution/states.ts';
import { isNewer } from '../../core/fencing.ts';
import type { NodeId } from '../../core/ids.ts';
import { perNode, staysUp } from '../../core/job.ts';
import type { ExecutionRecord, JobRecord } from '../state/records.ts';

export interface Partition {
  readonly index: number;
  /** Of ops and daemon: the only node that it may run on. */
  readonly nodeId?: NodeId;
  readonly state: 'open' | 'active' | 'done' | 'failed';
  /** One, unless an owner that had forgotten it has placed it again. */
  readonly live: readonly ExecutionRecord[];
  /** Its active execution is in a node's hands. */
  readonly taken: boolean;
  /** Above that of every execution of it. */
  readonly attempts: number;
  /** Nodes that gave it back: not again before that time. */
  readonly refused: ReadonlyMap<NodeId, Refusal>;
  /** Why it failed; '' otherwise. */
  readonly failure: string;
}

export interface Refusal {
  readonly until: number;
  readonly reason: string;
}

export function isActive(execution: ExecutionRecord): boolean {
  return !isTerminal(execution.state);
}

export function partitionCount({ spec, nodes }: JobRecord): number {
  return perNode(spec.Type) ? (nodes ?? []).length : spec.Count;
}

/**
 * Which partition an execution counts for; undefined when its job has none for it. Of ops and daemon the node decides: it
 * has a place of its own there, whatever number an owner that has forgotten it had given it.
 */
export function partitionOf(
  job: JobRecord,
  { token, nodeId }: Pick<ExecutionRecord, 'token' | 'nodeId'>,
): number | undefined {
  if (token.jobVersion !== job.version) return undefined;
  const index = perNode(job.spec.Type) ? (job.nodes ?? []).indexOf(nodeId) : token.partition;
  return index >= 0 && index < partitionCount(job) ? index : undefined;
}

/** In order of their index; executions of older versions of the job count for nothing. */
export function partitionsOf(
  job: JobRecord,
  executions: readonly ExecutionRecord[],
  backoff: Backoff,
): Partition[] {
  const groups: ExecutionRecord[][] = Array.from({ length: partitionCount(job) }, () => []);
  for (const execution of executions) {
    const index = partitionOf(job, execution);
    if (index !== undefined) groups[index]?.push(execution);
  }
  return groups.map((group, index) => toPartition(job, { index, group }, backoff));
}

function toPartition(
  { spec, nodes }: JobRecord,
  { index, group }: { readonly index: number; readonly group: readonly ExecutionRecord[] },
  backoff: Backoff,
): Partition {
  // What stays up and was lost with its node's record of it is simply placed again.
  const again = (one: ExecutionRecord): boolean =>
    staysUp(spec.Type) && one.state === 'failed' && one.outcome?.by === 'lost';
  const live = group.filter(isActive);
  // What fails while a newer one goes on decides nothing.
  const failed = group.find(
    (one) => one.state === 'failed' && !again(one) && !live.some((other) => isNewer(other, one)),
  );
  const done = group.some((execution) => execution.state === 'completed');
  const nodeId = perNode(spec.Type) ? nodes?.[index] : undefined;
  return {
    index,
    ...(nodeId === undefined ? {} : { nodeId }),
    state: done ? 'done' : failed !== undefined ? 'failed' : live.length > 0 ? 'active' : 'open',
    live,
    taken: live.some(({ revision }) => revision > 0),
    attempts: group.reduce((next, { token }) => Math.max(next, token.attempt + 1), 0),
    refused: refusals(
      group.filter((one) => one.state === 'declined' || one.state === 'cancelled' || again(one)),
      backoff,
    ),
    failure: failed === undefined || done ? '' : failureText(index, failed),
  };
}

function refusals(
  given: readonly ExecutionRecord[],
  backoff: Backoff,
): ReadonlyMap<NodeId, Refusal> {
  const refused = new Map<NodeId, Refusal>();
  const times = new Map<NodeId, number>();
  for (const { nodeId, modifiedAt, state, reason } of [...given].sort(
    (a, b) => a.token.attempt - b.token.attempt,
  )) {
    const before = times.get(nodeId) ?? 0;
    times.set(nodeId, before + 1);
    refused.set(nodeId, {
      until: modifiedAt + backoffMs(backoff, before),
      reason: `${state} it: ${reason}`,
    });
  }
  return refused;
}

function failureText(index: number, { nodeId, outcome, reason }: ExecutionRecord): string {
  const why = describeFailure(outcome, reason);
  return `partition ${index} failed on ${nodeId}: ${why === '' ? 'no reason given' : why}`;
}
