/**
 * States of an execution on its node:
 *
 *   accepted -> preparing -> starting -> running -> (stopping) -> publishing -> completed | failed | cancelled
 *      |                        ^           |
 *      v                        `-- restarting (between the end of a run and the next start, by the restart policy)
 *   declined
 */
export const EXECUTION_STATES = [
  'accepted',
  'preparing',
  'starting',
  'running',
  'stopping',
  'publishing',
  'restarting',
  'completed',
  'failed',
  'cancelled',
  'declined',
] as const;

export type ExecutionState = (typeof EXECUTION_STATES)[number];

export const TERMINAL_STATES = ['completed', 'failed', 'cancelled', 'declined'] as const;

export function isTerminal(state: ExecutionState): boolean {
  return (TERMINAL_STATES as readonly string[]).includes(state);
}
