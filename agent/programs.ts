/** What the config says of plugins: where they are (the built-in ones beside this program in dist/) and their times. */
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AGENT_FLAGS } from '../core/node-flags.ts';
import type { AgentConfig } from './config.ts';
import type { PluginTimings } from './plugins/options.ts';
import type { PluginSpec } from './plugins/port.ts';

const BUILT_IN = ['docker', 'wasm', 'process'] as const;

export function pluginSpecs(config: AgentConfig): readonly PluginSpec[] {
  const builtIn = BUILT_IN.filter((name) => config.executors[name].enabled).map((name) => ({
    name,
    source: 'built-in' as const,
    command: [process.execPath, ...AGENT_FLAGS, join(distFolder(), `executor-${name}.js`)],
    config: config.executors[name].config,
    configAt: { file: config.file, path: ['executors', name, 'config'] },
    passEnv: [],
  }));
  return [
    ...builtIn,
    ...config.plugins.map((plugin, i) => ({
      ...plugin,
      source: 'config' as const,
      configAt: { file: config.file, path: ['plugins', i, 'config'] },
    })),
  ];
}

export function hostTimings({ pluginHealth }: AgentConfig): Partial<PluginTimings> {
  const { startMs, everyMs, slowMs, deadMs } = pluginHealth;
  return { startMs, healthEveryMs: everyMs, slowMs, deadMs };
}

function distFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  return basename(here) === 'dist' ? here : resolve(here, '../dist');
}
