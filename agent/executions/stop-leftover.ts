import { LimpetError } from '../../core/errors.ts';
import type { RunLimits } from './effects.ts';
import type { ExecutorClient } from '../plugins/port.ts';
import type { LiveExecution } from './live.ts';

export interface LeftoverDeps {
  readonly limits: Pick<RunLimits, 'stopGraceMs'>;
  client(executor: string): ExecutorClient | undefined;
}

/** Stops a run whose outcome is stored already. Errors: `unavailable`, and those of the plugin. */
export async function stopLeftover(
  deps: LeftoverDeps,
  { record: { placement } }: LiveExecution,
  run: number,
): Promise<void> {
  const executor = placement.task.Engine.Type;
  const client = deps.client(executor);
  if (client === undefined)
    throw new LimpetError('unavailable', `executor ${executor} is not ready`);
  const ref = { executionId: placement.executionId, run };
  const graceMs = deps.limits.stopGraceMs;
  try {
    await client.stop(ref, { reason: 'its outcome is stored', by: 'stop', graceMs });
  } catch (thrown) {
    if (LimpetError.from(thrown).code !== 'not-found') throw thrown;
    // Without its folder, given up with its engine, nobody supervises it: it can only be removed.
    await client.remove(ref, false);
  }
}
