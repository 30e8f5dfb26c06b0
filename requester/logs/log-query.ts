/** Which part of a job's log somebody wants. */
import type { ExecutionId, JobId } from '../../core/ids.ts';

export interface LogQuery {
  readonly jobId: JobId;
  /** Only this one of its executions. */
  readonly executionId?: ExecutionId;
  readonly follow: boolean;
  readonly tail?: number;
  readonly streams: readonly ('stdout' | 'stderr')[];
  readonly signal: AbortSignal;
}
