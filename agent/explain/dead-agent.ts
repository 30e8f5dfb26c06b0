/**
 * The plan of an agent that does not run: on a copy of its store, so that nothing of it changes, asking the plugins that
 * outlived it. A plugin that is gone would be started by a real recovery; a plan starts nothing, so its runs are shown as
 * not observed.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import { loadIdentity } from '../../adapters/identity/identity-file.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { procProcesses } from '../../adapters/processes/proc.ts';
import { openStore } from '../../adapters/store/level-store.ts';
import type { Store } from '../../adapters/store/port.ts';
import type { RecoveryPlan } from '../../wire/explain.ts';
import type { AgentConfig } from '../config.ts';
import { agentFolders } from '../executions/folders.ts';
import { Leases } from '../executions/lease.ts';
import { ExecutionRepository } from '../executions/repository.ts';
import { offeredPlugins } from '../own-plugins.ts';
import { askLivePlugin } from '../plugins/ask-live.ts';
import { SCHEMA_VERSION } from '../state.ts';
import { recoveryPlan } from './plan.ts';

/** Errors: `not-found` (no agent has run in that folder), those of the store. */
export async function planOfDeadAgent(config: AgentConfig, clock: Clock): Promise<RecoveryPlan> {
  const identity = await loadIdentity(config.dataDir);
  if (identity === undefined)
    throw new LimpetError(
      'not-found',
      `no agent has run in ${config.dataDir}; name its folder with --data`,
    );
  const copy = await mkdtemp(join(tmpdir(), 'limpet-plan-'));
  try {
    await cp(agentFolders(config.dataDir).store, copy, {
      recursive: true,
      // The lock belongs to whoever opens it.
      filter: (path) => !path.endsWith('/LOCK'),
    });
    await using store = await openStore(
      { folder: copy, createIfMissing: false, schemaVersion: SCHEMA_VERSION },
      clock,
    );
    return await planOn(store, { config, clock, nodeId: identity.nodeId });
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

async function planOn(
  store: Store,
  {
    config,
    clock,
    nodeId,
  }: { readonly config: AgentConfig; readonly clock: Clock; readonly nodeId: string },
): Promise<RecoveryPlan> {
  const { records } = await new ExecutionRepository(store).loadUnfinished();
  const processes = procProcesses();
  const leases = await Leases.load({ store, clock, bootId: processes.bootId(), log: silentLog });
  const asked = await Promise.all(
    (await offeredPlugins(config)).map(async ({ spec: { name } }) => ({
      name,
      ...(await askLivePlugin(name, { store, clock, processes, log: silentLog })),
    })),
  );
  try {
    return await recoveryPlan({
      ...{ nodeId, source: 'store', now: clock.now(), records },
      leaseOver: (record) => leases.isOver(record),
      executors: asked,
    });
  } finally {
    for (const plugin of asked) plugin.close();
  }
}
