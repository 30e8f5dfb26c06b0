import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { spawnPlugin } from '../../agent/plugins/spawn.ts';
import { openStore } from '../../adapters/store/level-store.ts';
import { eventually } from '../kit/eventually.ts';
import { tempDir } from '../kit/temp-dir.ts';

/** What the descriptors of a process lead to; one that is closed while we look leads nowhere. */
const opened = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });

t.test('a plugin inherits nothing of the agent but its two output files', async (t) => {
  const folder = tempDir(t);
  const store = await openStore({
    folder: join(folder, 'store'),
    createIfMissing: true,
    schemaVersion: 1,
  });
  t.teardown(() => store[Symbol.asyncDispose]());
  t.ok(
    opened(process.pid).some((path) => path.includes('/store/')),
    'the store is open here',
  );
  const plugin = await spawnPlugin({
    spec: { name: 'sleeper', command: ['/bin/sleep', '30'], config: {}, passEnv: [] },
    instance: 'one',
    folder: join(folder, 'p'),
    logFile: join(folder, 'sleeper.log'),
    env: process.env,
  });
  t.teardown(() => process.kill(plugin.pid, 'SIGKILL'));
  const files = await eventually('sleep to be executed', () => {
    const paths = opened(plugin.pid);
    return readlinkSync(`/proc/${plugin.pid}/exe`).includes('node') ? undefined : paths;
  });
  const beyond = files.filter((path) => path !== '/dev/null');
  t.same(beyond.map((path) => path.replace(folder, '')).sort(), ['/p/out', '/sleeper.log']);
});
