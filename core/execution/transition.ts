/**
 * The execution state machine: one table from (state, event) to the change it makes and the effects it asks for.
 * An event that the table does not name for a state is ignored with a reason, never thrown.
 */
import { applyChange, type Row, type Step } from './change.ts';
import { confirmation } from './confirmation.ts';
import { exited, lost, nothingToStop, refuse, stopBeforeRun, stopBetweenRuns } from './endings.ts';
import type { Effect, ExecutionEvent } from './events.ts';
import { foreignWords } from './foreign-words.ts';
import type { ExecutionRecord } from './record.ts';
import { endState } from './restart-policy.ts';
import type { ExecutionState } from './states.ts';

export type Transition =
  | {
      readonly type: 'changed';
      readonly record: ExecutionRecord;
      readonly effects: readonly Effect[];
      readonly cause: string;
    }
  | { readonly type: 'ignored'; readonly reason: string };

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

const started: Step<'started'> = (record, event) => {
  const same =
    record.state === 'running' && record.run === event.run && record.startedAt === event.startedAt;
  const sameHandle = event.handle === undefined || event.handle === record.handle;
  if (same && sameHandle && event.adopted === undefined) return undefined;
  const before = record.run === event.run ? record.startedAt : undefined;
  const outside = record.state === 'running' && (before ?? event.startedAt) !== event.startedAt;
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

/** A run is there that this record, an older copy, knows nothing of: what is seen of it is judged as of that run. */
const found: Step<'found'> = (_record, { run }) => ({
  to: 'starting',
  patch: { run },
  cause: `run ${run} is there, and the record is older than it`,
});

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
    stop: stopBetweenRuns,
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
    record: applyChange(record, change, now),
    effects: change.effects ?? [],
    cause: change.cause,
  };
}
