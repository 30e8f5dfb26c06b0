/** The state of a job out of its partitions. */
import { perNode, staysUp, type JobState } from '../../core/job.ts';
import type { JobRecord } from '../state/records.ts';
import type { Partition } from './partitions.ts';

export interface JobChange {
  readonly job: JobRecord;
  readonly state: JobState;
  readonly message: string;
}

/** What the plan did for the open partitions of a job. */
export interface Placing {
  readonly placed: number;
  readonly waiting: number;
  /** Why they wait. */
  readonly reason: string;
}

/**
 * Why the job is over. One failed partition ends a batch job or a service. Ops lets every node come to its end first, and
 * a daemon goes on while a single node still runs it.
 */
export function failureOf(job: JobRecord, partitions: readonly Partition[]): string | undefined {
  const { Type } = job.spec;
  const going = (partition: Partition): boolean =>
    partition.state === 'open' || partition.state === 'active';
  return perNode(Type) && partitions.some(going) ? undefined : failureText(job, partitions);
}

function failureText(
  { spec: { Type } }: JobRecord,
  partitions: readonly Partition[],
): string | undefined {
  const failed = partitions.filter((partition) => partition.state === 'failed');
  const first = failed[0]?.failure;
  if (first === undefined || !perNode(Type) || partitions.length === 1) return first;
  return `${failed.length} of ${partitions.length} nodes failed: ${first}`;
}

/** undefined when nothing changes. Failures are judged before. */
export function judgeJob(
  job: JobRecord,
  partitions: readonly Partition[],
  { placed, waiting, reason }: Placing,
): JobChange | undefined {
  const { Type } = job.spec;
  const change = (state: JobState, message: string): JobChange | undefined =>
    job.state === state && job.message === message ? undefined : { job, state, message };
  const done = partitions.filter((partition) => partition.state === 'done').length;
  const empty = perNode(Type) && partitions.length === 0;
  if (done === partitions.length && !staysUp(Type) && !empty) return change('Completed', '');
  const waits = waiting === 0 ? '' : waitingText(waiting, partitions.length, reason);
  const message = [waits, failureText(job, partitions) ?? '']
    .filter((text) => text !== '')
    .join('; ');
  const active = partitions.some(({ state }) => state === 'active');
  const ended = partitions.some(({ state }) => state === 'done' || state === 'failed');
  if (partitions.length === 0) return change('Queued', empty ? reason : 'its Count is 0');
  if (!active && placed === 0 && !ended) return change('Queued', message);
  if (ended || partitions.some(({ taken }) => taken)) return change('Running', message);
  return change('Pending', message);
}

function waitingText(waiting: number, count: number, reason: string): string {
  return count === 1 ? reason : `${waiting} of ${count} partitions wait: ${reason}`;
}
