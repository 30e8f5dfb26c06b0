/** The state of a job out of its partitions. */
import type { JobState } from '../../core/job.ts';
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

export function failureOf(partitions: readonly Partition[]): string | undefined {
  return partitions.find((partition) => partition.state === 'failed')?.failure;
}

/** undefined when nothing changes. Failures are judged before. */
export function judgeJob(
  job: JobRecord,
  partitions: readonly Partition[],
  { placed, waiting, reason }: Placing,
): JobChange | undefined {
  const done = partitions.filter((partition) => partition.state === 'done').length;
  const active = partitions.some((partition) => partition.state === 'active');
  const change = (state: JobState, message: string): JobChange | undefined =>
    job.state === state && job.message === message ? undefined : { job, state, message };
  if (done === partitions.length) return change('Completed', '');
  const message = waiting === 0 ? '' : waitingText(waiting, partitions.length, reason);
  if (!active && placed === 0 && done === 0) return change('Queued', message);
  if (done > 0 || partitions.some((partition) => partition.taken))
    return change('Running', message);
  return change('Pending', message);
}

function waitingText(waiting: number, count: number, reason: string): string {
  return count === 1 ? reason : `${waiting} of ${count} partitions wait: ${reason}`;
}
