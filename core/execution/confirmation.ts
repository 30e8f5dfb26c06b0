/**
 * After the store has lost something: what the owner of an execution knows of it. Where its owner is further on, that
 * counts: a run that it saw launched is not started again, and revisions go on above those that it has taken.
 */
import type { Step } from './change.ts';
import type { ExecutionState } from './states.ts';

const LAUNCHED: readonly ExecutionState[] = [
  ...(['running', 'stopping', 'publishing', 'restarting'] as const),
  ...(['completed', 'failed', 'cancelled'] as const),
];

/** undefined: that is as stored, and nothing was in doubt. */
export const confirmation: Step<'confirmed'> = (record, event) => {
  const { state, unconfirmed } = record;
  const drop = ['unconfirmed'] as const;
  if (event.revision <= record.revision)
    return unconfirmed === undefined
      ? undefined
      : { to: state, drop, cause: 'its owner has nothing newer of it' };
  const early = state === 'accepted' || state === 'preparing';
  const launched = LAUNCHED.includes(event.state) && event.run >= record.run;
  const begun = event.run > record.run || (early && launched);
  return {
    to: begun ? 'starting' : state,
    patch: {
      run: Math.max(event.run, record.run),
      ...(launched ? { launchedRun: event.run } : {}),
    },
    drop,
    revision: event.revision,
    cause: `its owner knows more than this store: ${event.state}, run ${event.run}`,
  };
};
