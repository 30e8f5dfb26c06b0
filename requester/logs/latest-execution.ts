/** The one execution that Bacalhau's clients mean when they ask for the log of a job and name none. */
import type { ExecutionState } from '../../core/execution/states.ts';
import type { JobId } from '../../core/ids.ts';
import { isTerminalJobState } from '../../core/job.ts';
import type { Watchers } from '../jobs/watchers.ts';
import type { Reader } from '../state/reader.ts';
import type { ExecutionRecord } from '../state/records.ts';
import { isThere } from './counting.ts';

export interface LatestExecution {
  readonly reader: Reader;
  readonly watchers: Watchers;
  readonly jobId: JobId;
  /** Waits for the first. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

const IN_VAIN: readonly ExecutionState[] = ['failed', 'cancelled'];

/** That which changed last of those that did not end in vain, else of those that did. */
export async function latestExecution({
  reader,
  watchers,
  jobId,
  follow,
  signal,
}: LatestExecution): Promise<ExecutionRecord | undefined> {
  const changes = watchers.watch(jobId, signal);
  try {
    for (;;) {
      const job = await reader.job(jobId);
      const found = latest(await reader.executionsOf(jobId));
      const over = job === undefined || isTerminalJobState(job.state);
      if (found !== undefined || over || !follow || !(await changes.next())) return found;
    }
  } finally {
    changes.stop();
  }
}

function latest(all: readonly ExecutionRecord[]): ExecutionRecord | undefined {
  const known = all.filter(isThere).toSorted((a, b) => a.modifiedAt - b.modifiedAt);
  return known.findLast(({ state }) => !IN_VAIN.includes(state)) ?? known.at(-1);
}
