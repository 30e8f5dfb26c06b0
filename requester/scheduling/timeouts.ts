/** Queue and total timeouts of a job; both count from its submission. */
import { staysUp } from '../../core/job.ts';
import type { JobRecord } from '../state/records.ts';
import type { Partition } from './partitions.ts';

export interface Expiry {
  /** Why the job is over now. */
  readonly expired?: string;
  /** When one of them would be over next. */
  readonly nextAt?: number;
}

/** `mayQueue` is false while it is not known whether it waits at all. */
export function expiry(
  job: JobRecord,
  partitions: readonly Partition[],
  { now, mayQueue }: { readonly now: number; readonly mayQueue: boolean },
): Expiry {
  const { QueueTimeout = 0, TotalTimeout = 0 } = job.spec.Tasks[0].Timeouts;
  // What stays up is placed again and again; it was queued only before its first time.
  const queued = staysUp(job.spec.Type)
    ? partitions.every((partition) => partition.attempts === 0)
    : partitions.length === 0 || partitions.some((partition) => partition.state === 'open');
  const ended = partitions.length > 0 && partitions.every(({ state }) => state === 'done');
  const ends: number[] = [];
  if (TotalTimeout > 0 && !ended) {
    const at = job.createdAt + TotalTimeout * 1000;
    if (now >= at) return { expired: `not done within its TotalTimeout of ${TotalTimeout} s` };
    ends.push(at);
  }
  if (QueueTimeout > 0 && queued && mayQueue) {
    const at = job.createdAt + QueueTimeout * 1000;
    const why = job.state === 'Queued' && job.message !== '' ? `: ${job.message}` : '';
    if (now >= at)
      return { expired: `queued longer than its QueueTimeout of ${QueueTimeout} s${why}` };
    ends.push(at);
  }
  return ends.length === 0 ? {} : { nextAt: Math.min(...ends) };
}
