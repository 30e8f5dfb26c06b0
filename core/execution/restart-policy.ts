/**
 * What follows the end of a run: another run in place, or the end of the execution. A stop or a limit ends it whatever
 * the kind. Batch and ops end with their first run; service and daemon are started again whatever the code, with
 * back-off. A lost run has its own count and is never charged to failures.
 */
import { backoffMs } from '../backoff.ts';
import type { JobKind } from '../job.ts';
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

const RESTART_BACKOFF = { firstMs: 1_000, lastMs: 60_000 };

function staysUp(kind: JobKind): boolean {
  return kind === 'service' || kind === 'daemon';
}

export function endState(kind: JobKind, outcome: Outcome): 'completed' | 'failed' | 'cancelled' {
  if (outcome.by === 'stop') return 'cancelled';
  if (outcome.by === 'exit' && outcome.code === 0 && !staysUp(kind)) return 'completed';
  return 'failed';
}

export function afterRun(record: ExecutionRecord, outcome: Outcome, now: number): AfterRun {
  const kind = record.placement.kind;
  const final = record.stop !== undefined || outcome.by === 'stop' || outcome.by === 'refused';
  const expired = outcome.by === 'limit' && outcome.reason === 'deadline';
  if (!staysUp(kind) || final || expired) return { type: 'end', state: endState(kind, outcome) };
  const lost = outcome.by === 'lost';
  const failureRestarts = record.failureRestarts + (lost ? 0 : 1);
  const lostRestarts = record.lostRestarts + (lost ? 1 : 0);
  const attempt = (lost ? lostRestarts : failureRestarts) - 1;
  return {
    type: 'restart',
    at: now + backoffMs(RESTART_BACKOFF, attempt),
    failureRestarts,
    lostRestarts,
  };
}
