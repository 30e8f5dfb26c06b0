/** A folder of plugin programs, in which a program comes and changes whole, as an operator moves it there. */
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askAgent } from '../../cli/agent-socket.ts';
import { pluginListSchema, type PluginFact } from '../../wire/plugins.ts';
import { eventually } from './eventually.ts';
import { distPath } from './program.ts';
import type { JsonObject, TestAgent } from './test-agent.ts';

export class PluginFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    mkdirSync(path, { recursive: true, mode: 0o755 });
  }

  /** A program that becomes `command`; another version is another program. */
  put(name: string, version: string, command: readonly string[]): string {
    const words = command.map((word) => `'${word}'`).join(' ');
    return this.write(name, `#!/bin/sh\n# version ${version}\nexec ${words}\n`);
  }

  write(name: string, text: string): string {
    const file = join(this.path, name);
    writeFileSync(`${file}.new`, text);
    chmodSync(`${file}.new`, 0o755);
    renameSync(`${file}.new`, file);
    return file;
  }

  describe(name: string, beside: JsonObject): void {
    this.write(`${name}.json`, JSON.stringify(beside));
  }

  remove(name: string): void {
    rmSync(join(this.path, name));
  }
}

/** A bundle of dist/ under this Node. */
export function nodeCommand(program: string, ...args: readonly string[]): string[] {
  return [process.execPath, distPath(program), ...args];
}

export async function pluginsOf(agent: TestAgent): Promise<readonly PluginFact[]> {
  return pluginListSchema.parse(await askAgent(agent.folder, 'GET', '/plugins')).plugins;
}

/** Waits until the agent says this of the plugin. */
export function plugin(
  agent: TestAgent,
  name: string,
  is: (fact: PluginFact) => boolean,
): Promise<PluginFact> {
  return eventually(
    `plugin ${name}`,
    async () => {
      const all = await pluginsOf(agent);
      const fact = all.find((one) => one.name === name);
      if (fact !== undefined && is(fact)) return fact;
      throw new Error(JSON.stringify(all));
    },
    60_000,
  );
}

/** Waits until it runs, as another instance than `before`. */
export function running(agent: TestAgent, name: string, before?: PluginFact): Promise<PluginFact> {
  return plugin(
    agent,
    name,
    ({ state, health, instance }) =>
      state === 'running' && health === 'healthy' && instance !== before?.instance,
  );
}
