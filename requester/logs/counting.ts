/**
 * Whose output is a job's. One partition has one execution that counts: the one whose result was accepted, else the
 * newest that a node has taken. What was placed before it (drained away, lost with its node, or forgotten by an owner that
 * placed it again) is read by its own id.
 */
import { newestOf } from '../../core/fencing.ts';
import { partitionOf } from '../scheduling/partitions.ts';
import type { ExecutionRecord, JobRecord } from '../state/records.ts';

export function countingOf(
  job: JobRecord,
  executions: readonly ExecutionRecord[],
): readonly ExecutionRecord[] {
  const groups = new Map<number, ExecutionRecord[]>();
  for (const execution of executions.filter(isThere)) {
    const index = partitionOf(job, execution);
    if (index === undefined) continue;
    const group = groups.get(index) ?? [];
    group.push(execution);
    groups.set(index, group);
  }
  return [...groups.values()].flatMap((group) => {
    const one = group.find(({ state }) => state === 'completed') ?? newestOf(group);
    return one === undefined ? [] : [one];
  });
}

/** The node has it, and had not handed it back. */
export function isThere({ revision, state }: ExecutionRecord): boolean {
  return revision > 0 && state !== 'declined';
}
