/** What happens to a host while its agent is away: holders die, pids get other owners, the machine comes up anew. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { SCHEMA_VERSION } from '../../agent/state.ts';
import { procProcesses } from '../../adapters/processes/proc.ts';
import type { ProcessIdentity } from '../../adapters/processes/port.ts';
import { openStore } from '../../adapters/store/level-store.ts';
import type { Store } from '../../adapters/store/port.ts';
import { startCluster, type Cluster, type Detail } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, processTask } from '../kit/job-specs.ts';
import { killProcessesOf, processesOf } from '../kit/leftovers.ts';
import type { Teardown } from '../kit/teardown.ts';
import type { JsonObject, TestAgent } from '../kit/test-agent.ts';

export const processes = procProcesses();

export const BOTH_EXECUTORS = {
  docker: { enabled: false },
  wasm: { config: { warm: 1, idleMs: 5_000 } },
  process: { enabled: true },
};

export interface World {
  readonly cluster: Cluster;
  readonly agent: TestAgent;
}

/** A cluster with one node that offers wasm and process. */
export async function startWorld(t: Test, config: JsonObject = {}): Promise<World> {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent({ executors: BOTH_EXECUTORS, ...config });
  await agent.start();
  return { cluster, agent };
}

export interface Work {
  readonly job: string;
  readonly execution: string;
}

/** Submits and waits until it runs. */
export async function begin(cluster: Cluster, task: JsonObject, job?: JsonObject): Promise<Work> {
  const id = await cluster.submit(batchJob(task, job));
  return { job: id, execution: await cluster.running(id) };
}

/** A script that runs until it is ended. */
export const IDLE = 'while :; do sleep 0.2; done';

/** A process task that leaves one line in a file each time that it is started, then does `script`. */
export function countedTask(file: string, script: string, more: JsonObject = {}): JsonObject {
  return processTask(`echo began >> ${file}; ${script}`, more);
}

/** How often a counted task was started. */
export function starts(file: string): number {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
}

/** Agent and plugins die at once; runs go on. */
export async function vanish(agent: TestAgent): Promise<void> {
  const plugins = (await agent.status()).executors.flatMap(({ pid }) => pid ?? []);
  await agent.kill();
  for (const pid of plugins) await killAndWait(pid);
}

/** SIGKILL by identity; returns when it is gone. */
export async function killAndWait(pid: number): Promise<void> {
  const identity = processes.identify(pid);
  if (identity === undefined) return;
  processes.signal(identity, 'SIGKILL');
  await eventually(`process ${pid} to end`, () => isGone(identity));
}

export function isGone(identity: ProcessIdentity): boolean {
  return !['alive', 'stopped'].includes(processes.look(identity));
}

/** Who holds a run, by its claim. */
export async function holderOf(
  agent: TestAgent,
  executor: string,
  execution: string,
): Promise<ProcessIdentity> {
  const [pid = '', startTime = '', bootId = ''] = (await agent.claim(executor, execution)).split(
    ' ',
  );
  return { pid: Number(pid), startTime, bootId };
}

export function runFolder(agent: TestAgent, executor: string, execution: string, run = 0): string {
  return join(agent.folder, 'runs', executor, execution, String(run));
}

/** Everything that carries the nonce of a run, as pids. */
export function processesOfRun(execution: string, run = 0): readonly number[] {
  return processes.findByEnv('LIMPET_RUN', `${execution}/${run}`);
}

export interface Bystander extends ProcessIdentity {
  /** Whether it still runs and has never been signalled: any signal would have ended or stopped it. */
  isUntouched(): boolean;
}

/** Something alive that is not ours. */
export function bystander(t: Teardown): Bystander {
  const child = spawn('sleep', ['600'], { stdio: 'ignore', detached: true });
  t.teardown(() => child.kill('SIGKILL'));
  const identity = processes.identify(child.pid ?? -1);
  if (identity === undefined) throw new Error('the bystander did not start');
  return { ...identity, isUntouched: () => processes.look(identity) === 'alive' };
}

/** The store of an agent that is away. */
export async function withStore(
  agent: TestAgent,
  work: (store: Store) => Promise<void>,
): Promise<void> {
  const options = {
    folder: join(agent.folder, 'store'),
    createIfMissing: false,
    schemaVersion: SCHEMA_VERSION,
  };
  const store = await openStore(options);
  try {
    await work(store);
  } finally {
    await store[Symbol.asyncDispose]();
  }
}

/** Makes a service out of an execution of an agent that is away: what its owner does not place yet, the node knows. */
export async function becomeService(agent: TestAgent, execution: string): Promise<void> {
  await withStore(agent, async (store) => {
    const key = `ex/${execution}`;
    const record = (await store.get(key)) as { readonly placement: JsonObject };
    // Without a policy of its own: that of its kind.
    const placement = { ...record.placement, kind: 'service', restart: undefined };
    const value = { ...record, placement };
    await store.batch([{ type: 'put', key, value }]);
  });
}

/** Changes the reattach record of a plugin while its agent is away. */
export async function changePluginRecord(
  agent: TestAgent,
  name: string,
  change: JsonObject,
): Promise<void> {
  await withStore(agent, async (store) => {
    const key = `plugin/${name}`;
    const value = { ...((await store.get(key)) as JsonObject), ...change };
    await store.batch([{ type: 'put', key, value }]);
  });
}

/**
 * The host goes down and comes up: nothing of this agent runs any more, and all that was begun, was begun in another
 * boot. Pids begin anew, so `owner` may be given to what had the pids of old.
 */
export async function reboot(
  agent: TestAgent,
  claims: readonly { readonly executor: string; readonly execution: string }[],
  owner?: ProcessIdentity,
): Promise<void> {
  await agent.kill();
  killProcessesOf(agent.folder);
  for (const { execution } of claims)
    for (const pid of processesOfRun(execution)) await killAndWait(pid);
  await eventually('nothing to be left', () => processesOf(agent.folder).length === 0);
  rmSync(join(agent.folder, 'run'), { recursive: true, force: true });
  const boot = { bootId: 'c0ffee00-0000-4000-8000-000000000000' };
  for (const { executor, execution } of claims) {
    const file = join(runFolder(agent, executor, execution), 'claim');
    const [pid, startTime] = readFileSync(file, 'utf8').split(' ');
    writeFileSync(file, `${owner?.pid ?? pid} ${owner?.startTime ?? startTime} ${boot.bootId}\n`);
  }
  const same = owner === undefined ? {} : { Pid: owner.pid, startTime: owner.startTime };
  for (const name of ['wasm', 'process'])
    await changePluginRecord(agent, name, { ...boot, ...same });
}

/** Ended exactly once, for the agent and for the requester, which agree. */
export async function endedOnce(t: Test, { cluster, agent }: World, work: Work): Promise<Detail> {
  const terminal = ['completed', 'failed', 'cancelled'];
  const end = await eventually(
    `${work.execution} to end`,
    async () => {
      const seen = (await cluster.executions(work.job)).find(({ id }) => id === work.execution);
      if (seen !== undefined && terminal.includes(seen.state)) return seen;
      throw new Error(JSON.stringify(seen));
    },
    30_000,
  );
  const own = (await agent.history(work.execution)).filter(
    ({ from, to }) => terminal.includes(to) && !terminal.includes(from),
  );
  t.equal(own.length, 1, 'one end in the history of the node');
  t.equal(end.state, own[0]?.to, 'and the requester knows the same');
  return end;
}

/** When a run and its helpers are over, nothing of them is there: no process, no run folder. */
export async function nothingLeft(
  agent: TestAgent,
  { execution }: Work,
  runs: readonly number[] = [0],
): Promise<void> {
  await eventually(`nothing of ${execution} to be left`, () => {
    const left = runs.flatMap((run) => processesOfRun(execution, run));
    const folders = ['wasm', 'process']
      .map((executor) => join(agent.folder, 'runs', executor, execution))
      .filter(existsSync);
    if (left.length + folders.length === 0) return true;
    throw new Error(JSON.stringify({ left, folders }));
  });
}
