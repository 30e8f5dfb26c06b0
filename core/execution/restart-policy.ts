/**
 * What follows the end of a run: another run in place, or the end of the execution.
 *
 *   a stop, a deadline, a lease, refused work      the end, whatever the kind
 *   exit 0 of batch and ops                        the end
 *   lost                                           batch and ops: the end; service and daemon: the next run, of a count
 *                                                  of its own that failures are never charged to
 *   anything else                                  the next run while the policy has one left, else the end
 *
 * The delay doubles with each restart of the same count. A run that has lasted long enough begins both counts anew.
 */
import { backoffMs } from '../backoff.ts';
import { restartRule } from '../job-restart.ts';
import { staysUp, type JobKind, type RestartRule } from '../job.ts';
import type { Outcome } from './outcome.ts';
import type { ExecutionRecord } from './record.ts';

export type AfterRun =
  | { readonly type: 'end'; readonly state: 'completed' | 'failed' | 'cancelled' }
  | {
      readonly type: 'restart';
      readonly at: number;
      readonly failureRestarts: number;
      readonly lostRestarts: number;
    };

export interface EndedRun {
  readonly outcome: Outcome;
  readonly startedAt?: number;
  readonly finishedAt: number;
}

function isLimit(outcome: Outcome, reason: 'deadline' | 'lease'): boolean {
  return outcome.by === 'limit' && outcome.reason === reason;
}

/** Stopped by its owner, a drain or a lease is no failure of the work. */
export function endState(kind: JobKind, outcome: Outcome): 'completed' | 'failed' | 'cancelled' {
  if (outcome.by === 'stop' || isLimit(outcome, 'lease')) return 'cancelled';
  if (outcome.by === 'exit' && outcome.code === 0 && !staysUp(kind)) return 'completed';
  return 'failed';
}

/** The policy that the placement names, else that of its kind. */
export function policyOf({ placement }: Pick<ExecutionRecord, 'placement'>): RestartRule {
  return placement.restart ?? restartRule(placement.kind);
}

function mayRestart(record: ExecutionRecord, outcome: Outcome): boolean {
  const { kind } = record.placement;
  if (record.stop !== undefined || outcome.by === 'stop' || outcome.by === 'refused') return false;
  if (isLimit(outcome, 'deadline') || isLimit(outcome, 'lease')) return false;
  if (staysUp(kind)) return true;
  return outcome.by !== 'lost' && endState(kind, outcome) === 'failed';
}

export function afterRun(record: ExecutionRecord, ended: EndedRun, now: number): AfterRun {
  const { outcome, startedAt, finishedAt } = ended;
  const end = { type: 'end', state: endState(record.placement.kind, outcome) } as const;
  if (!mayRestart(record, outcome)) return end;
  const policy = policyOf(record);
  const lasted = startedAt === undefined ? 0 : finishedAt - startedAt;
  const anew = lasted > 0 && lasted >= policy.resetAfterMs;
  const lost = outcome.by === 'lost';
  const failureRestarts = (anew ? 0 : record.failureRestarts) + (lost ? 0 : 1);
  const lostRestarts = (anew ? 0 : record.lostRestarts) + (lost ? 1 : 0);
  const count = lost ? lostRestarts : failureRestarts;
  if (policy.attempts !== undefined && count > policy.attempts) return end;
  const backoff = { firstMs: policy.delayMs, lastMs: policy.maxDelayMs };
  return {
    type: 'restart',
    at: now + backoffMs(backoff, count - 1),
    failureRestarts,
    lostRestarts,
  };
}
