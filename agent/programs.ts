/** Where the built-in executor plugins are: beside this program in dist/. */
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentConfig } from './config.ts';
import type { PluginSpec } from './plugins/port.ts';

/** V8's default lets the space of young objects grow to 48 MB, which a plugin would fill and never need. */
const NODE_FLAGS = ['--max-semi-space-size=2'];

const BUILT_IN = ['docker', 'wasm', 'process'] as const;

export function pluginSpecs(config: AgentConfig): readonly PluginSpec[] {
  const builtIn = BUILT_IN.filter((name) => config.executors[name].enabled).map((name) => ({
    name,
    command: [process.execPath, ...NODE_FLAGS, join(distFolder(), `executor-${name}.js`)],
    config: config.executors[name].config,
    passEnv: [],
  }));
  return [...builtIn, ...config.plugins];
}

function distFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  return basename(here) === 'dist' ? here : resolve(here, '../dist');
}
