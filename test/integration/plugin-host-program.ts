/**
 * An agent that is nothing but a plugin host over a real store, for tests that kill it.
 * `plugin-host-program.ts <folder> <plugin command...>`; tells `ready <pid> <reattached>` on stdout.
 */
import { join } from 'node:path';
import { systemClock } from '../../adapters/clock/system-clock.ts';
import { systemRandom } from '../../adapters/clock/system-random.ts';
import { envFaults } from '../../adapters/faults/env-faults.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { procProcesses } from '../../adapters/processes/proc.ts';
import { openStore } from '../../adapters/store/level-store.ts';
import { createPluginHost } from '../../agent/plugins/host.ts';

const [folder = '', ...command] = process.argv.slice(2);
const at = (name: string): string => join(folder, name);
const store = await openStore({ folder: at('db'), createIfMissing: true, schemaVersion: 1 });
const host = createPluginHost({
  specs: [{ name: 'memory', command, config: {}, passEnv: [] }],
  store,
  clock: systemClock(),
  processes: procProcesses(),
  log: silentLog,
  faults: envFaults(process.env),
  random: systemRandom,
  runDir: at('r'),
  configureFacts: {
    nodeId: 'n-test',
    instanceId: 'i-test',
    runsDir: at('runs'),
    logsDir: at('logs'),
    stateDir: at('state'),
    socketsDir: at('s'),
  },
});
host.start({
  ready() {
    const [health] = host.health();
    process.stdout.write(`ready ${health?.pid} ${health?.reattached}\n`);
  },
  lost: () => undefined,
  wake: () => undefined,
  health: () => undefined,
});
// The test kills this process; should the test be gone, it ends by itself.
setTimeout(() => process.exit(0), 60_000);
