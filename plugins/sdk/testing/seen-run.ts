import type { RunPhase } from '../../../core/execution/observed.ts';
import type { Outcome } from '../../../core/execution/outcome.ts';

/** A run as the plugin tells it. */
export interface SeenRun {
  readonly executionId: string;
  readonly run: number;
  /** `exited` is said only when the outcome is written down and the log is whole. */
  readonly phase: RunPhase;
  /** It has begun, whatever became of it: it may never be started again. */
  readonly marked: boolean;
  /** Of an exited run: `{ by: 'exit', code: 0, reason }`, `{ by: 'stop', ... }`, `{ by: 'limit', ... }`. */
  readonly outcome: Outcome | undefined;
  /** ms since the epoch; 0 is unknown. */
  readonly startedAt: number;
  readonly finishedAt: number;
  /** Bytes of output so far, that of earlier runs of the same execution included. */
  readonly logBytes: number;
  readonly facts: Readonly<Record<string, string>>;
}
