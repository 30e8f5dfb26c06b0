/**
 * The execution state machine: one table from (state, event) to the change it makes and the effects it asks for.
 * An event that the table does not name for a state is ignored with a reason, never thrown.
 */
import { confirmation } from './confirmation.ts';
import type { Effect, ExecutionEvent, ExecutionEventType } from './events.ts';
import { describeOutcome, type Outcome } from './outcome.ts';
import { isParked, stopAt, withRun, type ExecutionRecord } from './record.ts';
import { afterRun, endState, policyOf, type AfterRun, type EndedRun } from './restart-policy.ts';
import type { ExecutionState } from './states.ts';

export type Transition =
  | {
      readonly type: 'changed';
      readonly record: ExecutionRecord;
      readonly effects: readonly Effect[];
      readonly cause: string;
    }
  | { readonly type: 'ignored'; readonly reason: string };

interface Change {
  readonly to: ExecutionState;
  readonly patch?: Partial<ExecutionRecord>;
  /** Fields that it loses. */
  readonly drop?: readonly (keyof ExecutionRecord)[];
  /** The next revision is above this one too. */
  readonly revision?: number;
  readonly effects?: readonly Effect[];
  /** One sentence for the history. */
  readonly cause: string;
}

type Step<K extends ExecutionEventType> = (
  record: ExecutionRecord,
  event: Extract<ExecutionEvent, { type: K }>,
  now: number,
) => Change | undefined;

type Row = { readonly [K in ExecutionEventType]?: Step<K> };

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

const stopBeforeRun: Step<'stop'> = (record, event, now) => {
  const change = endWithoutRun(record, { by: event.by, reason: event.reason }, now);
  return { ...change, patch: { ...change.patch, stop: { by: event.by, reason: event.reason } } };
};

/** The first reason wins; a later order only repeats the stop. */
const stopRun: Step<'stop'> = (record, event) => {
  const stop = record.stop ?? { by: event.by, reason: event.reason };
  return {
    to: 'stopping',
    patch: { stop },
    effects: [{ type: 'stop' }],
    cause: `stop: ${stop.reason}`,
  };
};

const refuse: Step<'refuse'> = (record, event, now) =>
  endWithoutRun(record, withFirstReason(record, { by: 'refused', reason: event.reason }), now);

const started: Step<'started'> = (record, event) => {
  const same =
    record.state === 'running' && record.run === event.run && record.startedAt === event.startedAt;
  const sameHandle = event.handle === undefined || event.handle === record.handle;
  if (same && sameHandle && event.adopted === undefined) return undefined;
  const outside =
    record.state === 'running' && record.run === event.run && record.startedAt !== event.startedAt;
  return {
    to: 'running',
    patch: {
      run: event.run,
      startedAt: event.startedAt,
      ...(event.handle === undefined ? {} : { handle: event.handle }),
    },
    cause: outside
      ? 'restarted-outside: another start time, adopted'
      : (event.adopted ?? `run ${event.run} is running`),
  };
};

const exited: Step<'exited'> = (record, event, now) => {
  const current = withRun(record, event.run);
  const beaten = current.stop !== undefined && stopAt(current, event.finishedAt) === undefined;
  const outcome = beaten ? event.outcome : withFirstReason(current, event.outcome);
  const startedAt = event.startedAt ?? current.startedAt;
  const { finishedAt } = event;
  const ended = { outcome, finishedAt, ...(startedAt === undefined ? {} : { startedAt }) };
  const change = concludeRun(current, ended, now);
  return { ...change, patch: { ...change.patch, run: current.run } };
};

/** Stopped work keeps its true code under the first reason. */
function withFirstReason(record: ExecutionRecord, outcome: Outcome): Outcome {
  if (record.stop === undefined) return outcome;
  const { by, reason } = record.stop;
  return outcome.code === undefined ? { by, reason } : { by, reason, code: outcome.code };
}

/** When it was lost nobody knows; it lasted until now at the most. */
const lost: Step<'lost'> = (record, event, now) => {
  const outcome = withFirstReason(record, { by: 'lost', reason: event.reason });
  return concludeRun(record, endedNow(record, outcome, now), now);
};

function endedNow({ startedAt }: ExecutionRecord, outcome: Outcome, now: number): EndedRun {
  return { outcome, finishedAt: now, ...(startedAt === undefined ? {} : { startedAt }) };
}

/** A run is there that this record, an older copy, knows nothing of: what is seen of it is judged as of that run. */
const found: Step<'found'> = (_record, { run }) => ({
  to: 'starting',
  patch: { run },
  cause: `run ${run} is there, and the record is older than it`,
});

const nothingToStop: Step<'nothing-to-stop'> = (record, _event, now) => {
  const { by, reason } = record.stop ?? { by: 'stop', reason: 'stopped' };
  // Once launched there may be output to keep.
  if (record.startedAt !== undefined)
    return concludeRun(record, endedNow(record, { by, reason }, now), now);
  return endWithoutRun(record, { by, reason }, now);
};

/** What is at rest goes on as soon as somebody has said so. */
const goOn = (state: ExecutionState): readonly Effect[] =>
  state === 'publishing' || state === 'starting' ? [RESUME[state]] : [];
const RESUME = { publishing: { type: 'publish' }, starting: { type: 'start' } } as const;

const claim: Step<'claim'> = (record, { placement }) =>
  record.foreign === undefined
    ? undefined
    : {
        to: record.state,
        patch: { placement },
        drop: ['foreign'],
        effects: goOn(record.state),
        cause: 'its owner knows it: no longer foreign',
      };

const answer: Step<'answer'> = (record, { by, word }, now) => {
  const { foreign } = record;
  if (foreign === undefined) return undefined;
  const { answer: told } = foreign;
  const goesOn = word === 'adopt' || record.state === 'publishing';
  if (told !== undefined && (by === 'owner' || (told.by === by && told.word === word)))
    return undefined;
  return {
    to: record.state,
    patch: { foreign: { ...foreign, answer: { by, word, at: now } } },
    effects: by === 'operator' && goesOn ? goOn(record.state) : [],
    cause: `foreign; the word of its ${by}: ${word}`,
  };
};

const foreignWords = { claim, answer };

const published: Step<'published'> = (record, event) => ({
  to: endState(record.placement.kind, record.outcome ?? { by: 'lost', reason: 'no outcome' }),
  patch: {
    output: event.output,
    ...(event.result === undefined ? {} : { published: event.result }),
  },
  effects: [{ type: 'remove' }],
  cause: event.result === undefined ? 'finished' : `published to ${event.result.type}`,
});

const publishFailed: Step<'publish-failed'> = (_record, event) => ({
  to: 'failed',
  patch: { reason: `publishing failed: ${event.reason}` },
  effects: [{ type: 'remove' }],
  cause: `publishing failed: ${event.reason}`,
});

const removed: Row = {
  removed: (record) =>
    record.removed
      ? undefined
      : { to: record.state, patch: { removed: true }, cause: 'nothing is left of it' },
};

const TABLE: { readonly [S in ExecutionState]: Row } = {
  accepted: {
    decline: (_record, event) => ({
      to: 'declined',
      patch: { reason: event.reason, removed: true },
      cause: `declined: ${event.reason}`,
    }),
    admit: () => ({ to: 'preparing', effects: [{ type: 'prepare' }], cause: 'admitted' }),
    refuse,
    stop: stopBeforeRun,
    started,
    exited,
    found,
    confirmed: confirmation,
  },
  preparing: {
    prepared: (_record, event) => ({
      to: 'starting',
      patch: { digest: event.digest },
      effects: [{ type: 'start' }],
      cause: 'prepared',
    }),
    refuse,
    stop: stopBeforeRun,
    started,
    exited,
    found,
    confirmed: confirmation,
  },
  starting: {
    ...{ refuse, stop: stopRun, 'nothing-to-stop': nothingToStop, started, exited, lost },
    ...foreignWords,
    found,
    confirmed: confirmation,
  },
  running: {
    ...{ stop: stopRun, 'nothing-to-stop': nothingToStop, started, exited, lost, refuse },
    ...foreignWords,
    found,
    confirmed: confirmation,
  },
  stopping: {
    ...{ 'nothing-to-stop': nothingToStop, exited, lost, refuse, found, confirmed: confirmation },
    ...foreignWords,
  },
  restarting: {
    stop: (record, event, now) => ({
      to: 'publishing',
      patch: {
        stop: { by: event.by, reason: event.reason },
        outcome: { by: event.by, reason: event.reason },
        finishedAt: now,
      },
      effects: [{ type: 'publish' }],
      cause: `stop: ${event.reason}, run ${record.run} had already ended`,
    }),
    'restart-due': (record) => ({
      to: 'starting',
      patch: { run: record.run + 1 },
      effects: [{ type: 'start' }],
      cause: `run ${record.run + 1} by the restart policy`,
    }),
    started,
    exited,
    found,
    confirmed: confirmation,
  },
  publishing: {
    published,
    'publish-failed': publishFailed,
    ...foreignWords,
    confirmed: confirmation,
  },
  completed: removed,
  failed: removed,
  cancelled: removed,
  declined: removed,
};

function apply(record: ExecutionRecord, change: Change, now: number): ExecutionRecord {
  const patch = change.patch ?? {};
  const base: Partial<Record<keyof ExecutionRecord, unknown>> = {
    ...withRun(record, patch.run ?? record.run),
  };
  for (const field of change.drop ?? []) delete base[field];
  // The spread of a whole record minus optional fields is a record again.
  return {
    ...base,
    ...patch,
    state: change.to,
    revision: Math.max(record.revision, change.revision ?? 0) + 1,
    changedAt: now,
  } as ExecutionRecord;
}

export function transition(
  record: ExecutionRecord,
  event: ExecutionEvent,
  now: number,
): Transition {
  const step = TABLE[record.state][event.type];
  if (step === undefined)
    return { type: 'ignored', reason: `'${event.type}' means nothing in state ${record.state}` };
  const change = step(record, event as never, now);
  if (change === undefined) return { type: 'ignored', reason: `'${event.type}' changes nothing` };
  return {
    type: 'changed',
    record: apply(record, change, now),
    effects: change.effects ?? [],
    cause: change.cause,
  };
}
