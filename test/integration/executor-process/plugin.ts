/** A plugin of the process executor, and what can be seen of its runs from outside. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../kit/eventually.ts';
import type { PluginDriver } from '../../../plugins/sdk/testing/plugin-driver.ts';
import type { TestRunKey } from '../../../plugins/sdk/testing/run.ts';
import { drivePlugin } from '../../kit/plugin-driver.ts';
import type { Teardown } from '../../kit/teardown.ts';

const PROGRAM = 'dist/executor-process.js';

export const sh = (script: string) => ({ Command: ['sh', '-c', script] });

export function processPlugin(
  t: Teardown,
  config: unknown = {},
  env: Record<string, string> = {},
): Promise<PluginDriver> {
  return drivePlugin(t, { program: PROGRAM, config, env });
}

/** The pids in a run folder: holder and command. */
export function pids(plugin: PluginDriver, key: TestRunKey) {
  const first = (file: string) =>
    Number(readFileSync(join(plugin.runFolder(key), file), 'utf8').split(' ')[0]);
  return eventually('the command to be started', () => ({
    holder: first('claim'),
    command: first('child'),
  }));
}

export const isAlive = (pid: number) => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
