/** A plugin host over real files, processes and a real store, with short times, and the events it tells. */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import type { Test } from 'tap';
import { systemClock } from '../../adapters/clock/system-clock.ts';
import { systemRandom } from '../../adapters/clock/system-random.ts';
import { noFaults } from '../../adapters/faults/env-faults.ts';
import type { Faults } from '../../adapters/faults/port.ts';
import type { LogFields, Logger } from '../../adapters/log/port.ts';
import { procProcesses } from '../../adapters/processes/proc.ts';
import { openMemoryStore } from '../../adapters/store/memory-store.ts';
import type { Store } from '../../adapters/store/port.ts';
import { createPluginHost } from '../../agent/plugins/host.ts';
import type { PluginTimings } from '../../agent/plugins/options.ts';
import type {
  ExecutorClient,
  PluginSet,
  PluginSpec,
  PluginWork,
} from '../../agent/plugins/port.ts';
import { eventually } from '../kit/eventually.ts';
import { tempDir } from '../kit/temp-dir.ts';

export const processes = procProcesses();

const TIMINGS: Partial<PluginTimings> = {
  healthEveryMs: 100,
  slowMs: 200,
  deadMs: 600,
  exitMs: 300,
  startMs: 5_000,
  restart: { firstMs: 20, lastMs: 200 },
};

export interface Bench {
  readonly folder: string;
  readonly store: Store;
  readonly runDir: string;
  readonly logged: { readonly event: string; readonly fields: LogFields }[];
  spec(change?: Partial<PluginSpec>): PluginSpec;
  /** A host over the same store and folders; detached at teardown. */
  host(specs: readonly PluginSpec[] | (() => PluginSpec[]), options?: HostOptions): RunningHost;
}

export interface HostOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly faults?: Faults;
  readonly timings?: Partial<PluginTimings>;
  /** Of plugins. */
  readonly folder?: string;
  readonly work?: PluginWork;
}

export interface RunningHost {
  readonly host: PluginSet;
  /** The health before it was started. */
  readonly atFirst: ReturnType<PluginSet['health']>;
  readonly told: string[];
  /** The client of the n-th time that this plugin was ready. */
  ready(name: string, generation?: number): Promise<ExecutorClient>;
  pid(name: string): number;
}

let program: string | undefined;

/** Built once per test file. */
function memoryPlugin(t: Test, folder: string): string {
  if (program !== undefined) return program;
  const outfile = join(folder, 'memory-plugin.mjs');
  buildSync({
    entryPoints: [new URL('../../fixtures/plugins/memory-plugin.ts', import.meta.url).pathname],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  chmodSync(outfile, 0o644);
  program = outfile;
  t.teardown(() => (program = undefined));
  return outfile;
}

export async function makeBench(t: Test): Promise<Bench> {
  const folder = tempDir(t);
  const command = [process.execPath, memoryPlugin(t, folder)];
  const store = await openMemoryStore();
  const logged: Bench['logged'] = [];
  const runDir = join(folder, 'r');
  t.teardown(() => killLeft(runDir));
  // The clock's timers keep no process alive; an agent has its sockets for that.
  const alive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(alive));
  const spec = (change: Partial<PluginSpec> = {}): PluginSpec => ({
    name: 'memory',
    command,
    config: {},
    passEnv: ['MEMORY_PLUGIN_MODE'],
    ...change,
  });
  const given = {
    store,
    clock: systemClock(),
    processes,
    log: recorder(logged),
    random: systemRandom,
    runDir,
  };
  const host: Bench['host'] = (specs, options = {}) =>
    startHost(
      t,
      (env) =>
        createPluginHost({
          ...given,
          specs,
          folder: () => options.folder,
          env,
          faults: options.faults ?? noFaults,
          configureFacts: facts(folder),
          timings: { ...TIMINGS, ...options.timings },
        }),
      options,
    );
  return { folder, store, runDir, logged, spec, host };
}

function startHost(
  t: Test,
  create: (env: NodeJS.ProcessEnv) => PluginSet,
  { env, work }: HostOptions,
): RunningHost {
  const host = create({ PATH: process.env['PATH'], HOME: '/nowhere', SECRET: 'x', ...env });
  const atFirst = host.health();
  const told: string[] = [];
  const clients = new Map<string, ExecutorClient>();
  host.start({
    ready(name, client, generation) {
      told.push(`ready ${name} ${generation}`);
      clients.set(`${name} ${generation}`, client);
    },
    lost: (name, reason) => void told.push(`lost ${name}: ${reason}`),
    wake: (name, ref) => void told.push(`wake ${name} ${ref?.executionId ?? 'all'}`),
    ...(work === undefined ? {} : { work }),
    health: (health) => void told.push(`health ${health.name} ${health.health}: ${health.reason}`),
  });
  t.teardown(() => host.detach());
  return {
    host,
    atFirst,
    told,
    ready: (name, generation = 1) =>
      eventually(`${name} is ready; told: ${told.join(' | ')}`, () =>
        clients.get(`${name} ${generation}`),
      ),
    pid: (name) => host.health().find((health) => health.name === name)?.pid ?? -1,
  };
}

function facts(folder: string) {
  const at = (name: string): string => join(folder, name);
  const own = {
    runsDir: at('runs'),
    logsDir: at('logs'),
    stateDir: at('state'),
    socketsDir: at('s'),
  };
  return { nodeId: 'n-test', instanceId: 'i-test', ...own };
}

function recorder(logged: Bench['logged']): Logger {
  const note = (event: string, fields: LogFields = {}): void => void logged.push({ event, fields });
  return { debug: note, info: note, warn: note, error: note, child: () => recorder(logged) };
}

/** Plugin processes whose stdout lies in this test's run folder. */
export function pluginsOf(runDir: string): readonly number[] {
  const pids = processes.findByEnv('PLUGIN_PROTOCOL_VERSIONS', '1');
  return pids.filter((pid) => processes.stdoutOf(pid)?.startsWith(runDir) === true);
}

function killLeft(runDir: string): void {
  for (const pid of pluginsOf(runDir)) {
    const identity = processes.identify(pid);
    if (identity !== undefined) processes.signal(identity, 'SIGKILL');
  }
}
