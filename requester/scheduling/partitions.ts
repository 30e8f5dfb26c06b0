/** What the executions of a job say about each of its partitions. */
import { backoffMs, type Backoff } from '../../core/backoff.ts';
import { describeOutcome } from '../../core/execution/outcome.ts';
import { isTerminal } from '../../core/execution/states.ts';
import type { NodeId } from '../../core/ids.ts';
import type { ExecutionRecord, JobRecord } from '../state/records.ts';

export interface Partition {
  readonly index: number;
  readonly state: 'open' | 'active' | 'done' | 'failed';
  /** Its active execution is in a node's hands. */
  readonly taken: boolean;
  readonly nextAttempt: number;
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

/** In order of their index; executions of older versions of the job count for nothing. */
export function partitionsOf(
  job: JobRecord,
  executions: readonly ExecutionRecord[],
  backoff: Backoff,
): Partition[] {
  const groups: ExecutionRecord[][] = Array.from({ length: job.spec.Count }, () => []);
  for (const execution of executions)
    if (execution.token.jobVersion === job.version)
      groups[execution.token.partition]?.push(execution);
  return groups.map((group, index) => toPartition(index, group, backoff));
}

function toPartition(
  index: number,
  group: readonly ExecutionRecord[],
  backoff: Backoff,
): Partition {
  const failed = group.find((execution) => execution.state === 'failed');
  const done = group.some((execution) => execution.state === 'completed');
  const active = group.some(isActive);
  return {
    index,
    state: done ? 'done' : failed !== undefined ? 'failed' : active ? 'active' : 'open',
    taken: group.some((execution) => isActive(execution) && execution.revision > 0),
    nextAttempt: group.reduce((next, { token }) => Math.max(next, token.attempt + 1), 0),
    refused: refusals(group, backoff),
    failure: failed === undefined || done ? '' : failureText(index, failed),
  };
}

function refusals(
  group: readonly ExecutionRecord[],
  backoff: Backoff,
): ReadonlyMap<NodeId, Refusal> {
  const refused = new Map<NodeId, Refusal>();
  const times = new Map<NodeId, number>();
  const given = group.filter(({ state }) => state === 'declined' || state === 'cancelled');
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
  const why = outcome === undefined ? reason : describeOutcome(outcome);
  return `partition ${index} failed on ${nodeId}: ${why === '' ? 'no reason given' : why}`;
}
