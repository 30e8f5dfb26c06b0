import type { ExecutorHealth } from '../plugins/port.ts';

export interface Recovering {
  readonly health: () => readonly ExecutorHealth[];
  readonly isRecovered: (executor: string) => boolean;
}

/**
 * Whether all that can be taken up again has been: each executor is recovered, or its engine does not answer. One that is
 * starting, or has not told its health yet, is waited for.
 */
export function isTakenUp({ health, isRecovered }: Recovering): boolean {
  return health().every((executor) => {
    if (isRecovered(executor.name)) return true;
    return !executor.pending && executor.health !== 'healthy';
  });
}
