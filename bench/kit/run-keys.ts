/** What the plugins of a bench, whose runs are in memory alone, say of a run. */
import type { Observation, RunKey } from '../../plugins/sdk/index.ts';

export function idOf({ executionId, run }: RunKey): string {
  return `${executionId}/${run}`;
}

export function absent(key: RunKey): Observation {
  return { key, phase: 'absent', marked: false, sameBoot: true, ours: true };
}
