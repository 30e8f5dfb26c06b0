/**
 * Work begun under an older version: a data folder that version 0.1 wrote while a job was running is kept in
 * fixtures/store/agent-0.1. What cannot be kept is processes: the test starts a plugin and the run's holder, and writes
 * what they are into the old records, as the old agent had it there.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { systemClock } from '../../adapters/clock/system-clock.ts';
import { systemRandom } from '../../adapters/clock/system-random.ts';
import { envFaults } from '../../adapters/faults/env-faults.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { procProcesses } from '../../adapters/processes/proc.ts';
import { openStore } from '../../adapters/store/level-store.ts';
import type { Store } from '../../adapters/store/port.ts';
import { createPluginHost } from '../../agent/plugins/host.ts';
import type { ExecutorClient, PluginHost } from '../../agent/plugins/port.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';
import { readLog } from '../../plugins/sdk/log-reader.ts';
import { LogWriter } from '../../plugins/sdk/log-writer.ts';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { lines } from '../kit/job-specs.ts';
import { distPath } from '../kit/program.ts';

t.setTimeout(240_000);

const KEPT = fileURLToPath(new URL('../../fixtures/store/agent-0.1', import.meta.url));
const EXECUTION = 'e-01a20235-d7c5-7750-8421-997788b3e9ce';
const HOUR_MS = 3_600_000;
const never = new AbortController().signal;

const recordSchema = z.looseObject({ placement: z.looseObject({ kind: z.string() }) });
const runSchema = z.looseObject({
  spec: z.looseObject({
    ...{ specHash: z.string(), jobId: z.string(), jobName: z.string(), owner: z.string() },
    ...{ token: z.string(), params: z.unknown(), env: z.record(z.string(), z.string()) },
  }),
});
const identitySchema = z.object({ nodeId: z.string(), instanceId: z.string() });

interface Place {
  readonly data: string;
  readonly runDir: string;
  /** In an hour: the one that was kept is long past. */
  readonly deadlineAt: number;
}

/** The plugin as the old agent had it: in the agent's folders, recorded in its store. */
function hostOn(store: Store, { data, runDir }: Place): PluginHost {
  const identity = identitySchema.parse(readJson(join(data, 'identity.json')));
  return createPluginHost({
    ...{ store, runDir, clock: systemClock(), processes: procProcesses(), log: silentLog },
    ...{ faults: envFaults({}), random: systemRandom },
    specs: [
      {
        name: 'process',
        command: [process.execPath, distPath('executor-process.js')],
        ...{ config: {}, passEnv: [] },
      },
    ],
    configureFacts: {
      ...identity,
      runsDir: join(data, 'runs'),
      logsDir: join(data, 'logs'),
      stateDir: join(data, 'plugins'),
      socketsDir: join(runDir, 's'),
    },
  });
}

function readyClient(t: Test, host: PluginHost): Promise<ExecutorClient> {
  t.teardown(() => host.detach());
  const nothing = (): void => undefined;
  return new Promise((resolve) => {
    host.start({
      ready: (_name, client) => resolve(client),
      ...{ lost: nothing, wake: nothing, health: nothing },
    });
  });
}

/** Starts what the old version had recorded as running. */
async function startKeptRun(client: ExecutorClient, place: Place): Promise<ObservedRun> {
  const file = join(place.data, 'runs/process', EXECUTION, '0/run.json');
  const kept = runSchema.parse(readJson(file));
  const spec = { ...kept.spec, deadlineAt: place.deadlineAt };
  writeFileSync(file, JSON.stringify({ ...kept, spec }));
  const { observed } = await client.start({
    ...spec,
    ref: { executionId: EXECUTION, run: 0 },
    ...{ kind: 'batch', mounts: [], network: 'none', digest: '', stopGraceMs: 1_000 },
    limits: { cpuMillis: 100, memoryBytes: 16_777_216, pids: 512, diskBytes: 0 },
  });
  return observed;
}

/** The old record, about the processes that are there now. */
async function pointAt(store: Store, run: ObservedRun, { deadlineAt }: Place): Promise<void> {
  const key = `ex/${EXECUTION}`;
  const kept = recordSchema.parse(await store.get(key));
  const { startedAt, handle } = run;
  const placement = { ...kept.placement, deadlineAt };
  const value = { ...kept, placement, startedAt, handle };
  await store.batch([{ type: 'put', key, value }]);
}

async function logOf(folder: string): Promise<string> {
  const parts: Uint8Array[] = [];
  const all = { fromOffset: 0, follow: false, tailLines: 0, sinceMs: 0 };
  for await (const { frames } of readLog(await LogWriter.open(folder), all, never))
    for (const { data } of frames) parts.push(data);
  return Buffer.concat(parts).toString();
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}

t.test('an agent adopts what version 0.1 had running, and tells its true end', async (t) => {
  // A socket path is short. Removed after the cluster has ended, so made before it.
  const runDir = mkdtempSync(join(tmpdir(), 'lt-'));
  t.teardown(() => rmSync(runDir, { recursive: true, force: true }));
  const cluster = await startCluster(t);
  const process = { enabled: true, config: {} };
  const executors = { docker: { enabled: false }, wasm: { enabled: false }, process };
  const agent = cluster.addAgent({ executors, runDir });
  const place: Place = { data: agent.folder, runDir, deadlineAt: Date.now() + HOUR_MS };
  cpSync(KEPT, agent.folder, { recursive: true });

  const folder = join(agent.folder, 'store');
  const store = await openStore({ folder, createIfMissing: false, schemaVersion: 1 });
  const host = hostOn(store, place);
  const run = await startKeptRun(await readyClient(t, host), place);
  const plugin = host.health()[0]?.pid;
  await pointAt(store, run, place);
  await host.detach();
  await store[Symbol.asyncDispose]();
  const holder = await agent.claim('process', EXECUTION);

  const status = await agent.start();
  t.match(status.executors, [{ name: 'process', adopted: 1, reattached: true, pid: plugin }]);
  t.match(status.executions, [{ id: EXECUTION, state: 'running', run: 0 }]);
  t.equal(await agent.claim('process', EXECUTION), holder, 'the same holder');
  const changes = await eventually('its end', async () => {
    const events = await agent.history(EXECUTION);
    return events.at(-1)?.to === 'failed' ? events : undefined;
  });
  const told = changes.map(({ to, cause }) => `${to}: ${cause}`);
  const adopted = told.findLastIndex((line) => line.includes('adopted, not restarted'));
  t.match(told.slice(adopted, adopted + 3), [
    /adopted, not restarted/,
    /publishing: run 0 ended: exit 7/,
    /failed: finished/,
  ]);
  t.equal(await logOf(join(agent.folder, 'logs', EXECUTION)), lines(60), 'and its whole log');
});
