/** Which part of a job's log somebody wants. */
import type { ExecutionId, JobId } from '../../core/ids.ts';
import type { LogPosition } from '../../wire/log-position.ts';

export interface LogQuery {
  readonly jobId: JobId;
  /** Only this one of its executions. */
  readonly executionId?: ExecutionId;
  readonly follow: boolean;
  /** Only the last lines of what is there now; 0 is none of it. */
  readonly tail?: number;
  /** Only what was printed from then on; ms since the epoch. */
  readonly sinceMs?: number;
  /** Wins over `tail` and `sinceMs` for the executions that it names. */
  readonly after?: LogPosition;
  readonly streams: readonly ('stdout' | 'stderr')[];
  /** One execution after the other, in place of all at once. */
  readonly inTurn?: boolean;
  readonly signal: AbortSignal;
}
