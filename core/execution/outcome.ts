/** How one run ended. */
export const OUTCOME_CAUSES = [
  'exit',
  'signal',
  'oom',
  'limit',
  'trap',
  'stop',
  'lost',
  'refused',
] as const;
export type OutcomeCause = (typeof OUTCOME_CAUSES)[number];

/**
 * `by` tells who or what ended the run; `code` is the exit code where one exists (a stopped or killed run keeps its true
 * code: 137 after KILL); `reason` is one short sentence or word (`deadline`, `memory`, `output`, `interrupted`).
 */
export interface Outcome {
  readonly by: OutcomeCause;
  readonly code?: number;
  readonly reason: string;
}

/** Why an execution failed: work that went well may have failed at publishing. */
export function describeFailure(outcome: Outcome | undefined, reason: string): string {
  const wentWell = outcome?.by === 'exit' && outcome.code === 0;
  return outcome === undefined || (wentWell && reason !== '') ? reason : describeOutcome(outcome);
}

/** `exit 7`, `limit (deadline), code 137`: for tables and history. */
export function describeOutcome(outcome: Outcome): string {
  if (outcome.by === 'exit') return `exit ${outcome.code ?? '?'}`;
  const code = outcome.code === undefined ? '' : `, code ${outcome.code}`;
  return `${outcome.by}${outcome.reason === '' ? '' : ` (${outcome.reason})`}${code}`;
}
