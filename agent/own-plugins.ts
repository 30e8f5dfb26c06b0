/** The plugin host of an agent, over what its config and its data folder say. */
import { join } from 'node:path';
import { systemRandom } from '../adapters/clock/system-random.ts';
import type { AgentConfig } from './config.ts';
import { createPluginHost } from './plugins/host.ts';
import type { PluginDeps } from './plugins/options.ts';
import type { PluginHost } from './plugins/port.ts';
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
): PluginHost {
  return createPluginHost({
    ...ports,
    ...{ store, runDir, specs: pluginSpecs(settings()), random: systemRandom },
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
