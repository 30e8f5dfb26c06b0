/** The plugin host of an agent, over what its config and its data folder say. */
import { join } from 'node:path';
import { systemClock } from '../adapters/clock/system-clock.ts';
import { systemRandom } from '../adapters/clock/system-random.ts';
import { SchemaChecks } from '../adapters/schemas/schema-check.ts';
import { LimpetError } from '../core/errors.ts';
import type { AgentConfig } from './config.ts';
import { createPluginHost } from './plugins/host.ts';
import type { PluginDeps } from './plugins/options.ts';
import type { PluginSet } from './plugins/port.ts';
import { OfferBook, type Offered } from './plugins/offers.ts';
import { hostTimings, pluginSpecs } from './programs.ts';
import type { AgentState } from './state.ts';

export function ownPlugins(
  settings: () => AgentConfig,
  {
    identity,
    store,
    folders,
    runDir,
  }: Pick<AgentState, 'identity' | 'store' | 'folders' | 'runDir'>,
  ports: Pick<PluginDeps, 'clock' | 'processes' | 'faults' | 'log' | 'schemas'>,
): PluginSet {
  return createPluginHost({
    ...ports,
    ...{ store, runDir, specs: () => pluginSpecs(settings()), random: systemRandom },
    checks: new SchemaChecks({ metaschema: false }),
    folder: () => settings().pluginDir ?? undefined,
    timings: () => hostTimings(settings()),
    configureFacts: {
      nodeId: identity.nodeId,
      instanceId: identity.instanceId,
      runsDir: folders.runs,
      logsDir: folders.logs,
      stateDir: folders.plugins,
      socketsDir: join(runDir, 's'),
    },
  });
}

/** Those that an agent with this config would have now. Errors: `unavailable`, when their folder cannot be read. */
export async function offeredPlugins(config: AgentConfig): Promise<readonly Offered[]> {
  const folder = (): string | undefined => config.pluginDir ?? undefined;
  const book = new OfferBook({ specs: () => pluginSpecs(config), folder }, systemClock());
  const { offered } = await book.look((reason) => {
    throw new LimpetError('unavailable', reason);
  });
  return offered;
}
