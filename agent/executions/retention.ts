/** Finished executions are kept for a while and up to a number; then record, history, log and results go together. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { AgentFolders } from './folders.ts';
import type { ExecutionRepository } from './repository.ts';

export interface RetentionDeps {
  readonly repository: ExecutionRepository;
  readonly folders: AgentFolders;
  readonly clock: Clock;
  readonly log: Logger;
  readonly keepMs: number;
  readonly keepCount: number;
  /** False while reports wait for their acknowledgement: then nothing is forgotten. */
  acknowledged(): boolean;
}

const BATCH = 500;

/** One sweep; answers how many executions were forgotten. */
export async function sweepFinished(deps: RetentionDeps): Promise<number> {
  if (!deps.acknowledged()) return 0;
  const before = deps.clock.now() - deps.keepMs;
  const ids = await deps.repository.expired(before, deps.keepCount, BATCH);
  for (const id of ids) {
    const record = await deps.repository.get(id);
    if (record === undefined) continue;
    await rm(join(deps.folders.logs, id), { recursive: true, force: true });
    await rm(join(deps.folders.results, id), { recursive: true, force: true });
    await deps.repository.forget(record);
  }
  if (ids.length > 0) deps.log.info('retention.swept', { executions: ids.length });
  return ids.length;
}
