/** What the plugins of a bench, whose runs are in memory alone, say of a run. */
import type { Observation, RunKey, RunSpec } from '../../plugins/sdk/index.ts';

export function idOf({ executionId, run }: RunKey): string {
  return `${executionId}/${run}`;
}

export function running({ key, specHash }: RunSpec): Observation {
  const marked = { marked: true, sameBoot: true, ours: true };
  return { key, phase: 'running', ...marked, specHash, startedAt: Date.now() };
}

export function absent(key: RunKey): Observation {
  return { key, phase: 'absent', marked: false, sameBoot: true, ours: true };
}
