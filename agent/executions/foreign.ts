/** Runs of this node without a record: never touched by themselves, ended on an operator's word. */
import { LimpetError } from '../../core/errors.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { ExecutorClient } from '../plugins/port.ts';

export interface EndForeign {
  readonly client: ExecutorClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly reason: string;
  readonly graceMs: number;
  /** Ms since the epoch; what has not ended by then is left to its holder. */
  readonly until: number;
}

const LOOK_MS = 50;

/** Resolves when it has ended or the time is over; what it left behind is kept. Never rejects. */
export async function endForeign(seen: ObservedRun, order: EndForeign): Promise<void> {
  const { client, clock, log, reason, graceMs, until } = order;
  const ref = { executionId: seen.executionId, run: seen.run };
  try {
    // A plugin acts only on runs that it has started or recovered.
    let now = await client.recover(ref, seen.handle);
    if (isLive(now)) await client.stop(ref, { reason, by: 'stop', graceMs });
    while (isLive(now) && clock.now() < until) {
      await clock.sleep(LOOK_MS);
      now = await client.status(ref);
    }
  } catch (thrown) {
    log.warn('foreign.not-ended', { ...ref, reason: LimpetError.from(thrown).message });
  }
}

function isLive({ phase }: ObservedRun): boolean {
  return phase === 'running' || phase === 'paused';
}
