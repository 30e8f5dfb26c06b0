/** What a plugin says, in plain words. */
import { OUTCOME_CAUSES, type Outcome } from '../../../core/execution/outcome.ts';
import type {
  FingerprintResponse,
  Outcome as WireOutcome,
  RunState,
} from '../../proto/gen/limpet/executor/v1/executor_pb.js';
import { HEALTHS, PHASES } from '../../proto/states.ts';
import type { Fingerprint } from '../types.ts';
import type { SeenRun } from './seen-run.ts';

export function seenFingerprint(message: FingerprintResponse): Fingerprint {
  const { health, reason, attributes, freeSlots } = message;
  return { health: HEALTHS[health], reason, attributes: { ...attributes }, freeSlots };
}

export function seenRun(state: RunState): SeenRun {
  return {
    executionId: state.key?.executionId ?? '',
    run: state.key?.run ?? 0,
    phase: PHASES[state.phase],
    marked: state.marked,
    outcome: state.outcome === undefined ? undefined : seenOutcome(state.outcome),
    startedAt: Number(state.startedAtMs),
    finishedAt: Number(state.finishedAtMs),
    logBytes: Number(state.logOffset),
    facts: { ...state.facts },
  };
}

/** A cause that nobody knows is one of a plugin that breaks the contract. */
function seenOutcome({ by, code, reason }: WireOutcome): Outcome {
  const cause = OUTCOME_CAUSES.find((known) => known === by);
  if (cause === undefined) throw new Error(`the plugin names the unknown cause '${by}'`);
  return { by: cause, ...(code === undefined ? {} : { code }), reason };
}
