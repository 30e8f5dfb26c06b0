/** Joins the logs of several executions into one. */
import type { LogOutput } from './log-items.ts';

export type LogBatch = readonly LogOutput[];

export interface LogJoin extends AsyncIterable<LogBatch> {
  /** For one more execution. */
  enter(): LogLane;
  /** No lane brings anything any more. */
  close(): void;
}

export interface LogLane {
  /** Resolves when the reader has taken it, or at once when there is no reader any more. */
  push(batch: LogBatch): Promise<void>;
  /** It brings nothing more. */
  leave(): void;
}
