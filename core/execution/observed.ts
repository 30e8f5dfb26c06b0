/** What an executor says of one run; the agent trusts it over its own record. */
import type { Outcome } from './outcome.ts';

export const RUN_PHASES = [
  'absent',
  'created',
  'running',
  'paused',
  'exited',
  'removing',
  'unobservable',
] as const;
export type RunPhase = (typeof RUN_PHASES)[number];

export interface ObservedRun {
  readonly executionId: string;
  readonly run: number;
  readonly phase: RunPhase;
  /** A mark exists: this run may have begun (claim file, or `launching` for docker). */
  readonly marked: boolean;
  /** The mark was made in this boot of the host; meaningless when not marked. */
  readonly sameBoot: boolean;
  /** Ours by labels, node, instance and deterministic name; false is shown and never touched. */
  readonly ours: boolean;
  readonly specHash?: string;
  /** Opaque, from the plugin; hand it back to Recover. Base64 in stored form. */
  readonly handle?: string;
  readonly startedAt?: number;
  readonly finishedAt?: number;
  /** Present when exited. */
  readonly outcome?: Outcome;
  /** The engine shows that starting this created run failed. */
  readonly startError?: string;
  /** The plugin follows it, and its log, until the end: Recover would change nothing. */
  readonly supervised?: boolean;
}
