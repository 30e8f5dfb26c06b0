/**
 * Drives a plugin of this repository with the kit that authors of plugins have, and ends it with the test.
 *
 *   const plugin = await drivePlugin(t, { program: 'dist/executor-process.js', config: {} });
 *   await plugin.start({ executionId: 'e-1', params: { Command: ['true'] } });
 *   await plugin.kill9(); await plugin.respawn();
 *   await plugin.recover({ executionId: 'e-1' });
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PluginDriver, type DriverOptions } from '../../plugins/sdk/testing/plugin-driver.ts';
import { programDir } from './program-dir.ts';
import type { Teardown } from './teardown.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface DriveOptions extends Omit<DriverOptions, 'command' | 'cwd'> {
  /** A built `.js`, or a `.ts` file (run with tsx: a second at each start), relative to the repository. */
  readonly program: string;
  /** The data folder; a fresh one when missing. */
  readonly folder?: string;
}

export async function drivePlugin(t: Teardown, options: DriveOptions): Promise<PluginDriver> {
  const { program, folder = programDir(t), ...rest } = options;
  const loader = program.endsWith('.ts') ? ['--import', 'tsx'] : [];
  const command = [process.execPath, ...loader, resolve(ROOT, program)];
  const driver = new PluginDriver(folder, { ...rest, command, cwd: ROOT });
  t.teardown(() => driver.end());
  await driver.respawn();
  return driver;
}
