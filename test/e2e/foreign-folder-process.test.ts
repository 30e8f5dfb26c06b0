/** A command without a record whose run folder is gone too: what its holder carries suffices to claim, follow and stop it. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { procProcesses } from '../../adapters/processes/proc.ts';
import { startCluster, type Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, processTask } from '../kit/job-specs.ts';
import type { TestAgent } from '../kit/test-agent.ts';
import { loseRecords } from './lost-records.ts';

t.setTimeout(300_000);

const processes = procProcesses();
const only = (labels = {}) => ({
  executors: { docker: { enabled: false }, wasm: { enabled: false }, process: { enabled: true } },
  stopGraceMs: 20_000,
  labels,
});
/** Answers TERM with a code of its own, so that a KILL would show; ends by itself when it is told. */
const OBEDIENT = `trap 'echo asked; exit 42' TERM; echo begun
until [ -e "$MAY_END" ]; do sleep 0.1; done; echo over; exit 3`;

/** One run of an agent that has a folder to lose. */
async function begin(t: Test, { cluster, agent }: World, job = {}) {
  const mayEnd = join(cluster.folder, 'may-end');
  const task = processTask(OBEDIENT, { Env: { MAY_END: mayEnd }, ...job });
  const submitted = await cluster.submit(batchJob(task, ON_A));
  const id = await cluster.running(submitted);
  t.teardown(() => {
    for (const pid of carriers(id)) process.kill(pid, 'SIGKILL');
  });
  await eventually('its output', async () => (await cluster.log(submitted)) === 'begun\n');
  const [pid = '', startTime = '', bootId = ''] = (await agent.claim('process', id)).split(' ');
  const holder = { pid: Number(pid), startTime, bootId: bootId.trim() };
  const folder = join(agent.folder, 'runs', 'process', id);
  return {
    ...{ job: submitted, id, folder, holder, mayEnd },
    wipe: () => rmSync(folder, { recursive: true }),
    isAlive: (): boolean => processes.look(holder) === 'alive',
  };
}

interface World {
  readonly cluster: Cluster;
  readonly agent: TestAgent;
}

async function startWorld(t: Test): Promise<World> {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent(only({ which: 'a' }));
  await agent.start();
  return { cluster, agent };
}

const ON_A = { Constraints: [{ Key: 'which', Operator: '=', Values: ['a'] }] };

/** Everything that was begun for a run, as pids. */
function carriers(id: string): readonly number[] {
  return processes.findByEnv('LIMPET_RUN', `${id}/0`);
}

/** A holder has its record in place a moment before it is gone itself. */
async function nothingLeft(...runs: readonly { readonly id: string }[]): Promise<void> {
  await eventually('nothing to be left', () => runs.every(({ id }) => carriers(id).length === 0));
}

async function forget({ agent }: World, run: { wipe(): void }): Promise<void> {
  await agent.kill();
  await loseRecords(agent.folder);
  run.wipe();
}

/** Nobody claims anything any more. */
async function loseOwner({ cluster }: World): Promise<void> {
  await cluster.requester.kill();
  rmSync(cluster.requesterFolder, { recursive: true });
  await cluster.startRequester();
}

const shown = ({ agent }: World) =>
  eventually('it to be shown', async () => (await agent.status()).foreign[0]);

t.test('its owner claims it, its log goes on, and its own end counts', async (t) => {
  const world = await startWorld(t);
  const { cluster, agent } = world;
  const run = await begin(t, world);
  const [before] = await cluster.executions(run.job);
  await forget(world, run);
  await agent.start();
  await eventually('its owner to claim it', async () => {
    const { executions, foreign } = await agent.status();
    return (
      foreign.length === 0 &&
      executions.some(({ id, state }) => id === run.id && state === 'running')
    );
  });
  t.ok(run.isAlive(), 'the same holder');
  t.notMatch(JSON.stringify(await agent.history(run.id)), 'restarted-outside');
  writeFileSync(run.mayEnd, '');
  const end = await cluster.endedExecution(run.job);
  t.match(end, { state: 'failed', run: 0, outcome: { by: 'exit', code: 3 } });
  t.equal(end.startedAt, before?.startedAt, 'its start is known to the millisecond');
  t.equal(await cluster.log(run.job), 'begun\nover\n', 'no line lost or doubled');
  await eventually('its folder to be gone', () => !existsSync(run.folder));
});

t.test('under a live agent nothing is lost, and a stop is carried out, TERM first', async (t) => {
  const world = await startWorld(t);
  const { cluster } = world;
  const run = await begin(t, world);
  run.wipe();
  await cluster.stop(run.job);
  t.match(await cluster.endedExecution(run.job), { state: 'cancelled', outcome: { code: 42 } });
  t.equal(await cluster.log(run.job), 'begun\nasked\n');
  await nothingLeft(run);
});

t.test('an operator sees whose it is, and stops it; its deadline is kept', async (t) => {
  const world = await startWorld(t);
  const { cluster, agent } = world;
  const run = await begin(t, world);
  const timed = await begin(t, world, { Timeouts: { ExecutionTimeout: 15 } });
  timed.wipe();
  await forget(world, run);
  await loseOwner(world);
  await agent.start();
  await shown(world);
  t.ok(run.isAlive(), 'kept until a word comes');
  const listed = await cluster.ran('agent', 'foreign', '--data', agent.folder);
  t.match(listed.stdout, /process .*running/, listed.stderr);
  t.notMatch(listed.stdout, 'not known', 'its owner is on its holder');
  const stop = await cluster.ran('job', 'stop', run.id, '--foreign');
  t.equal(stop.exit?.code, 0, stop.stderr);
  const ended = (id: string, how: string) =>
    eventually(
      `${id} to be over`,
      async () => {
        const causes = JSON.stringify(await agent.history(id));
        if (causes.includes(how)) return true;
        throw new Error(causes);
      },
      60_000,
    );
  await ended(run.id, 'code 42');
  await ended(timed.id, 'limit (deadline)');
  await nothingLeft(run, timed);
});

t.test('a kill of the agent and a reset end it, and nothing of another agent', async (t) => {
  const world = await startWorld(t);
  const { cluster, agent } = world;
  const run = await begin(t, world);
  await forget(world, run);
  const other = cluster.addAgent(only(), 'b');
  await other.start();
  t.same((await other.status()).foreign, []);
  const reset = (folder: string, ...more: string[]) =>
    cluster.ran('agent', 'reset', '--config', `${folder}.config.json`, ...more);
  t.notMatch((await reset(other.folder, '--data', other.folder, '--stop')).stdout, run.id);
  t.ok(run.isAlive());

  await agent.start();
  await eventually('its owner to claim it', async () =>
    (await agent.status()).executions.some(({ id, state }) => id === run.id && state === 'running'),
  );
  await agent.kill();
  run.wipe();
  const dry = await reset(agent.folder, '--dry-run');
  t.match(dry.stdout, `would remove process: ${run.id} run 0 running`, dry.stderr);
  t.ok(run.isAlive(), 'a dry run changes nothing');
  const done = await reset(agent.folder);
  t.match(done.stdout, `removed process: ${run.id} run 0 running`, done.stderr);
  t.same(carriers(run.id), []);
});

t.test('agent stop --kill ends it in good order', async (t) => {
  const world = await startWorld(t);
  const { cluster, agent } = world;
  const run = await begin(t, world);
  await forget(world, run);
  await loseOwner(world);
  await agent.start();
  await shown(world);
  const stop = await cluster.ran('agent', 'stop', '--kill', '--data', agent.folder);
  t.equal(stop.exit?.code, 0, stop.stderr);
  await nothingLeft(run);
});

t.test('what a dead holder has left is ended, and the run is lost', async (t) => {
  const world = await startWorld(t);
  const { cluster, agent } = world;
  const run = await begin(t, world);
  const service = await agent.status();
  await agent.kill();
  const plugins = service.executors.flatMap(({ pid }) => pid ?? []);
  for (const pid of plugins) process.kill(pid, 'SIGKILL');
  await loseRecords(agent.folder);
  run.wipe();
  // The holder and its watcher, so that nobody is left who would end the work.
  const holders = carriers(run.id).filter((pid) => processes.variableOf(pid, 'LIMPET_LABELS'));
  for (const pid of holders) process.kill(pid, 'SIGKILL');
  await eventually('the holder to be gone', () => !run.isAlive());
  t.not(carriers(run.id).length, 0, 'its work goes on');
  await agent.start();
  t.match(await cluster.endedExecution(run.job), { state: 'failed', outcome: { by: 'lost' } });
  await nothingLeft(run);
});
