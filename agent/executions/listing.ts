/**
 * The list of one executor, and what may be done when another engine answers than the one that holds the runs: it is
 * accepted by itself only when nothing that was live on record is behind the other one. Everything else is an
 * operator's word.
 */
import type { ObservedRun } from '../../core/execution/observed.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import { isTerminal } from '../../core/execution/states.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { ExecutorClient } from '../plugins/port.ts';

export interface ListingDeps {
  readonly log: Logger;
  /** Undefined: there is none. Rejects when it cannot be read. */
  record(executionId: string): Promise<ExecutionRecord | undefined>;
}

export async function listRuns(
  client: ExecutorClient,
  deps: ListingDeps,
): Promise<readonly ObservedRun[]> {
  const { runs, engineChanged } = await client.list();
  if (!engineChanged) return runs;
  const elsewhere = runs.filter((run) => run.ours && run.phase === 'unobservable');
  const live = await Promise.all(elsewhere.map((run) => mayBeLive(run, deps)));
  if (live.includes(true)) return runs;
  const { engineId } = await client.acceptEngine();
  deps.log.warn('executor.engine-accepted', {
    executor: client.name,
    engineId,
    reason: 'no live run on record',
  });
  return (await client.list()).runs;
}

/** A run whose outcome is stored is over, wherever it was; one without a record may well go on. */
async function mayBeLive(run: ObservedRun, deps: ListingDeps): Promise<boolean> {
  const record = await deps.record(run.executionId).catch(() => undefined);
  if (record === undefined || run.run > record.run) return true;
  if (run.run < record.run) return false;
  const { state } = record;
  return state !== 'restarting' && state !== 'publishing' && !isTerminal(state);
}
