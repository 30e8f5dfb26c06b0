/** One partition has one execution: what an owner that had forgotten the first has placed twice is brought back to one. */
import { newestOf } from '../../core/fencing.ts';
import type { ExecutionRecord } from '../state/records.ts';
import type { Partition } from './partitions.ts';

export interface Stop {
  readonly execution: ExecutionRecord;
  readonly reason: string;
}

/** The newest token stays; where there is a result already, none does. */
export function doublesOf(partitions: readonly Partition[]): Stop[] {
  return partitions.flatMap(({ index, state, live }) => {
    const newest = state === 'done' ? undefined : newestOf(live);
    const reason =
      newest === undefined
        ? `partition ${index} has its result from another execution`
        : `${newest.id} was placed later for partition ${index}`;
    return live
      .filter((one) => one !== newest && one.desired === 'run')
      .map((execution) => ({ execution, reason }));
  });
}
