/** What `decide` is asked and what it answers. */
import type { ObservedRun } from './observed.ts';
import type { Outcome } from './outcome.ts';
import type { ExecutionRecord, StopReason } from './record.ts';

export type Action =
  | { readonly type: 'leave' }
  | { readonly type: 'wait' }
  | { readonly type: 'import'; readonly run: ObservedRun }
  | { readonly type: 'stop-leftover'; readonly run: number }
  | { readonly type: 'remove-leftovers' }
  | { readonly type: 'done' }
  | { readonly type: 'publish' }
  | { readonly type: 'end-restarting'; readonly stop: StopReason }
  | { readonly type: 'next-run'; readonly at: number }
  | { readonly type: 'look-again' }
  | {
      readonly type: 'conclude';
      readonly run: number;
      readonly outcome: Outcome;
      readonly startedAt?: number;
      readonly finishedAt: number;
    }
  | { readonly type: 'stop'; readonly stop: StopReason }
  /** Nothing runs: end it with this reason; a created engine resource is removed and never started. */
  | { readonly type: 'end-unstarted'; readonly stop: StopReason }
  | { readonly type: 'adopt'; readonly run: ObservedRun }
  | { readonly type: 'start-created'; readonly run: number }
  | { readonly type: 'refuse'; readonly reason: string }
  | { readonly type: 'resume' }
  | { readonly type: 'lost'; readonly reason: string };

export interface Decision {
  /** Number of the rule in the table. */
  readonly rule: number;
  readonly action: Action;
  readonly why: string;
  /** A run that the record knows nothing of is there: it becomes the record's run before the action is carried out. */
  readonly found?: number;
}

export interface Situation {
  readonly record: ExecutionRecord | undefined;
  /** Every observed run under this execution id; none is "absent". */
  readonly observed: readonly ObservedRun[];
  readonly now: number;
  /** A `removing` run has been looked at for 60 s. */
  readonly removingTooLong: boolean;
  /** It has a lease, and that is over. */
  readonly leaseOver?: boolean;
  /** The store has lost something since it was written, and its owner has not told how far it was. */
  readonly unconfirmed?: boolean;
}
