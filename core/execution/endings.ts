/** How a run, or an execution that never ran, ends: its outcome, and what comes after it. */
import type { Change, Step } from './change.ts';
import type { Effect } from './events.ts';
import { describeOutcome, type Outcome } from './outcome.ts';
import { isParked, stopAt, withRun, type ExecutionRecord } from './record.ts';
import { afterRun, endState, policyOf, type AfterRun, type EndedRun } from './restart-policy.ts';

/** A run has ended: schedule the next one, if the restart policy has one left, else publish what it left. */
function concludeRun(record: ExecutionRecord, ended: EndedRun, now: number): Change {
  const { outcome } = ended;
  const cause = `run ${record.run} ended: ${describeOutcome(outcome)}`;
  const patch = { ...ended };
  const over = { ...record, state: 'publishing' } as const;
  const effects: readonly Effect[] = isParked(over) ? [] : [{ type: 'publish' }];
  // What a next run needs is known to the owner alone.
  if (record.foreign !== undefined) return { to: 'publishing', patch, effects, cause };
  const next = afterRun(record, ended, now);
  if (next.type === 'end') return { to: 'publishing', patch, effects, cause };
  return {
    to: 'restarting',
    patch: {
      ...patch,
      nextAt: next.at,
      failureRestarts: next.failureRestarts,
      lostRestarts: next.lostRestarts,
    },
    effects: [
      { type: 'remove-run', run: record.run },
      { type: 'schedule-restart', at: next.at },
    ],
    cause: `${cause}; ${restartText(record, next, now)}`,
  };
}

function restartText(
  record: ExecutionRecord,
  next: Extract<AfterRun, { type: 'restart' }>,
  now: number,
): string {
  const { attempts } = policyOf(record);
  const lost = next.lostRestarts > 0 && next.failureRestarts === record.failureRestarts;
  const count = lost ? next.lostRestarts : next.failureRestarts;
  const of = attempts === undefined ? '' : ` of ${attempts}`;
  return `${lost ? 'restart after a loss' : 'restart'} ${count}${of} in ${(next.at - now) / 1000} s`;
}

/** It ends without a run that could have left anything. */
function endWithoutRun(record: ExecutionRecord, outcome: Outcome, now: number): Change {
  return {
    to: endState(record.placement.kind, outcome),
    patch: { outcome, finishedAt: now },
    effects: [{ type: 'remove' }],
    cause: `ended before it ran: ${describeOutcome(outcome)}`,
  };
}

/** Stopped work keeps its true code under the first reason. */
function withFirstReason(record: ExecutionRecord, outcome: Outcome): Outcome {
  if (record.stop === undefined) return outcome;
  const { by, reason } = record.stop;
  return outcome.code === undefined ? { by, reason } : { by, reason, code: outcome.code };
}

function endedNow({ startedAt }: ExecutionRecord, outcome: Outcome, now: number): EndedRun {
  return { outcome, finishedAt: now, ...(startedAt === undefined ? {} : { startedAt }) };
}

export const stopBeforeRun: Step<'stop'> = (record, event, now) => {
  const change = endWithoutRun(record, { by: event.by, reason: event.reason }, now);
  return { ...change, patch: { ...change.patch, stop: { by: event.by, reason: event.reason } } };
};

/** The run before it has ended by itself: when, and with which code, stays. */
export const stopBetweenRuns: Step<'stop'> = (record, { by, reason }, now) => {
  const { outcome = { by, reason }, finishedAt = now } = record;
  const stop = { by, reason };
  return {
    to: 'publishing',
    patch: { stop, outcome: withFirstReason({ ...record, stop }, outcome), finishedAt },
    effects: [{ type: 'publish' }],
    cause: `stop: ${reason}, run ${record.run} had already ended: ${describeOutcome(outcome)}`,
  };
};

export const refuse: Step<'refuse'> = (record, event, now) =>
  endWithoutRun(record, withFirstReason(record, { by: 'refused', reason: event.reason }), now);

export const exited: Step<'exited'> = (record, event, now) => {
  const current = withRun(record, event.run);
  const beaten = current.stop !== undefined && stopAt(current, event.finishedAt) === undefined;
  const outcome = beaten ? event.outcome : withFirstReason(current, event.outcome);
  const startedAt = event.startedAt ?? current.startedAt;
  const { finishedAt } = event;
  const ended = { outcome, finishedAt, ...(startedAt === undefined ? {} : { startedAt }) };
  const change = concludeRun(current, ended, now);
  return { ...change, patch: { ...change.patch, run: current.run } };
};

/** When it was lost nobody knows; it lasted until now at the most. */
export const lost: Step<'lost'> = (record, event, now) => {
  const outcome = withFirstReason(record, { by: 'lost', reason: event.reason });
  return concludeRun(record, endedNow(record, outcome, now), now);
};

export const nothingToStop: Step<'nothing-to-stop'> = (record, _event, now) => {
  const { by, reason } = record.stop ?? { by: 'stop', reason: 'stopped' };
  // Once launched there may be output to keep.
  if (record.startedAt !== undefined)
    return concludeRun(record, endedNow(record, { by, reason }, now), now);
  return endWithoutRun(record, { by, reason }, now);
};
