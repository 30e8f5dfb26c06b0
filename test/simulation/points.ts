import { CRASH_POINTS } from '../../core/crash-points.ts';

/** Those of a hand-over lie between two processes of one plugin, which are not simulated: test/crash tours them. */
export const SIMULATED_POINTS = CRASH_POINTS.filter(
  (point) => !point.startsWith('agent.plugin.handover.'),
);
