/** Where the built-in executor plugins are: beside this program in dist/. */
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentConfig } from './config.ts';
import type { PluginSpec } from './plugins/port.ts';

const BUILT_IN = ['docker', 'wasm', 'process'] as const;

export function pluginSpecs(config: AgentConfig): readonly PluginSpec[] {
  const builtIn = BUILT_IN.filter((name) => config.executors[name].enabled).map((name) => ({
    name,
    command: [process.execPath, join(distFolder(), `executor-${name}.js`)],
    config: config.executors[name].config,
    passEnv: [],
  }));
  return [...builtIn, ...config.plugins];
}

function distFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  return basename(here) === 'dist' ? here : resolve(here, '../dist');
}
