/** A plugin is upgraded under its runs: the same processes, every line once, true codes; one that is no better stays out. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startCluster, type Cluster } from '../kit/cluster.ts';
import { testEngine } from '../kit/engine.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, dockerTask, lines, tickScript } from '../kit/job-specs.ts';
import { nodeCommand, plugin, PluginFolder, pluginsOf, running } from '../kit/plugin-folder.ts';
import type { JsonObject, TestAgent } from '../kit/test-agent.ts';
import { cleanEngineAtEnd, containersOf } from './containers.ts';

t.setTimeout(300_000);

const engine = await testEngine(t);
const OFF = { enabled: false };
const POINTS = ['next-ready', 'owner-written', 'released', 'committed'] as const;

interface World {
  readonly cluster: Cluster;
  readonly agent: TestAgent;
  readonly folder: PluginFolder;
}

function task(script: string): JsonObject {
  return { Engine: { Type: 'commands', Params: { Command: ['sh', '-c', script] } } };
}

function put({ folder }: World, version: string): void {
  folder.put('commands', version, nodeCommand('executor-process.js'));
}

async function makeWorld(t: Test): Promise<World> {
  const cluster = await startCluster(t);
  const folder = new PluginFolder(join(cluster.folder, 'programs'));
  const agent = cluster.addAgent({
    executors: { docker: OFF, wasm: OFF, process: OFF },
    pluginDir: folder.path,
  });
  const world = { cluster, agent, folder };
  put(world, '1');
  return world;
}

/** A line each 100 ms; its ledger tells how often it began. */
async function ticking({ cluster, agent }: World, name: string, count: number, code: number) {
  const ledger = join(cluster.folder, `${name}.ledger`);
  const script = `echo begin >>${ledger}; ${tickScript(count, 100, code)}`;
  const job = await cluster.submit(batchJob(task(script), { Name: name }));
  const execution = await cluster.running(job);
  return { job, ledger, execution, claim: await agent.claim('commands', execution), code, count };
}

type Ticking = Awaited<ReturnType<typeof ticking>>;

async function sameHolder(t: Test, { agent }: World, run: Ticking): Promise<void> {
  t.equal(await agent.claim('commands', run.execution), run.claim, 'the same holder');
}

async function endsTruly(t: Test, { cluster }: World, run: Ticking): Promise<void> {
  await cluster.ended(run.job, 60_000);
  const { outcome, run: number } = await cluster.endedExecution(run.job);
  t.same([outcome?.by, outcome?.code, number], ['exit', run.code, 0]);
  t.equal(await cluster.log(run.job), lines(run.count), 'every line once');
  t.equal(readFileSync(run.ledger, 'utf8'), 'begin\n', 'begun once');
}

t.test('services and batch runs go over an upgrade', async (t) => {
  const world = await makeWorld(t);
  const { cluster, agent, folder } = world;
  const withDocker = engine.skip === false;
  if (withDocker) {
    folder.put('docker', '1', nodeCommand('executor-docker.js'));
    folder.describe('docker', { config: { host: engine.host, pullPolicy: 'never' } });
  }
  await agent.start();
  if (withDocker) cleanEngineAtEnd(t, engine.host, agent.folder);
  const before = await running(agent, 'commands');
  const batch = await ticking(world, 'batch', 80, 7);
  const follower = await cluster.limpet('job', 'logs', '-f', batch.job);
  const service = await cluster.submit({
    ...batchJob(task(tickScript(6_000, 100)), { Name: 'service' }),
    Type: 'service',
  });
  const serving = await cluster.running(service);
  const claim = await agent.claim('commands', serving);
  const contained = withDocker
    ? await cluster.submit(batchJob(dockerTask(tickScript(60, 100, 3))))
    : '';
  const container = withDocker
    ? await containersOf(engine.host, await cluster.running(contained))
    : [];
  const docker = withDocker ? await running(agent, 'docker') : undefined;

  put(world, '2');
  if (withDocker) folder.put('docker', '2', nodeCommand('executor-docker.js'));
  const after = await running(agent, 'commands', before);
  t.not(after.sha256, before.sha256);
  t.not(after.pid, before.pid);
  await sameHolder(t, world, batch);
  if (docker !== undefined) t.not((await running(agent, 'docker', docker)).pid, docker.pid);
  await eventually('the old one to be gone', () => !isAlive(before.pid));
  t.equal(await agent.claim('commands', serving), claim, 'the service is the same process');
  t.equal((await cluster.job(service)).state, 'Running');

  const more = await cluster.submit(batchJob(task('echo new; exit 5')));
  t.equal((await cluster.ended(more)).state, 'Failed');
  t.equal((await cluster.execution(more)).outcome?.code, 5);
  if (withDocker) {
    await cluster.ended(contained, 60_000);
    const { outcome, id } = await cluster.endedExecution(contained);
    t.equal(outcome?.code, 3);
    t.equal(await cluster.log(contained), lines(60));
    t.same(container.length, 1);
    await eventually(
      'its container to be removed',
      async () => (await containersOf(engine.host, id)).length === 0,
    );
  }
  await endsTruly(t, world, batch);
  await follower.waitForExit(30_000);
  t.equal(follower.stdout, lines(80), 'who follows the log has every line once');
  await cluster.stop(service);
  t.equal((await cluster.endedExecution(service)).state, 'cancelled', 'the new one stops it');
});

t.test('a version that is no better stays out, and the old one goes on', async (t) => {
  const world = await makeWorld(t);
  const { agent, folder } = world;
  await agent.start();
  const before = await running(agent, 'commands');
  const run = await ticking(world, 'kept', 80, 4);
  const stays = async (problem: RegExp): Promise<void> => {
    const { pid, state, health } = await plugin(
      agent,
      'commands',
      ({ reason, state: now }) => now === 'running' && problem.test(reason),
    );
    t.same([pid, state, health], [before.pid, 'running', 'healthy'], String(problem));
    t.equal((await pluginsOf(agent)).length, 1);
  };
  folder.put('commands', 'a', ['/bin/false']);
  await stays(/upgrade failed: .*ended with code 1/);
  folder.put('commands', 'b', nodeCommand('fixtures/forgetful-plugin.js'));
  await stays(/upgrade failed: .*reads no runs of older ones/);
  folder.put('commands', 'c', nodeCommand('fixtures/forgetful-plugin.js', 'die'));
  await stays(/upgrade failed: .*(dropped|went away|version ended)/);
  folder.put('commands', 'd', nodeCommand('fixtures/forgetful-plugin.js', 'blank'));
  await stays(/upgrade failed: the new version does not find \S+ run 0, which runs/);
  put(world, '2');
  const after = await running(agent, 'commands', before);
  t.equal(after.reason, '');
  await endsTruly(t, world, run);
});

t.test('agent and plugin die in the middle of a hand-over', async (t) => {
  const world = await makeWorld(t);
  const { agent } = world;
  await agent.start();
  let version = 1;
  for (const point of POINTS)
    await t.test(`the agent at ${point}`, async (t) => {
      await agent.kill();
      await agent.start({ LIMPET_CRASH_AT: `agent.plugin.handover.${point}` });
      const before = await running(agent, 'commands');
      const run = await ticking(world, point, 50, 6);
      put(world, String(++version));
      await eventually('the agent to die', () => agent.program.exit?.signal === 'SIGKILL');
      await agent.start();
      await running(agent, 'commands', before);
      await eventually('the old one to be gone', () => !isAlive(before.pid));
      t.equal((await pluginsOf(agent)).length, 1);
      await sameHolder(t, world, run);
      await endsTruly(t, world, run);
    });
  await t.test('the old plugin, killed with a run that is half moved', async (t) => {
    await agent.kill();
    await agent.start({ LIMPET_CRASH_AT: 'agent.plugin.handover.owner-written:1:stop' });
    const before = await running(agent, 'commands');
    const run = await ticking(world, 'old', 50, 6);
    put(world, String(++version));
    await eventually('the agent to stand still', () => stateOf(agent.program.pid) === 'T');
    process.kill(before.pid ?? NaN, 'SIGKILL');
    process.kill(agent.program.pid, 'SIGCONT');
    await running(agent, 'commands', before);
    await sameHolder(t, world, run);
    await endsTruly(t, world, run);
  });
});

function isAlive(pid = NaN): boolean {
  return !['', 'Z', 'X'].includes(stateOf(pid));
}

/** Of /proc/PID/stat; '' when it is gone. */
function stateOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  } catch {
    return '';
  }
}
