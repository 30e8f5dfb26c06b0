/** What stops what: each row of the table of `limpet agent stop --help`, by real signals and commands. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { eventually } from '../kit/eventually.ts';
import { batchJob, lines, processTask, wasmTask } from '../kit/job-specs.ts';
import { processesOf } from '../kit/leftovers.ts';
import type { TestAgent } from '../kit/test-agent.ts';
import type { Program } from '../kit/program.ts';
import {
  becomeService,
  begin,
  countedTask,
  endedOnce,
  holderOf,
  nothingLeft,
  processesOfRun,
  starts,
  startWorld,
  type World,
} from './host-world.ts';

// Many processes on a machine that may be busy.
t.setTimeout(240_000);
const LONG = { timeout: 200_000 };

const IDLE = 'while :; do sleep 0.2; done';
const until = (file: string): string => `while [ ! -e ${file} ]; do sleep 0.1; done`;
const OBEDIENT = `trap 'echo bye; exit 9' TERM; echo up; ${IDLE}`;

function agentStop({ cluster, agent }: World, ...options: string[]): Promise<Program> {
  return cluster.ran('agent', 'stop', '--data', agent.folder, ...options);
}

async function pluginPids(agent: TestAgent): Promise<number[]> {
  return (await agent.status()).executors.flatMap(({ pid }) => pid ?? []);
}

/** No process of this agent at all: neither plugins nor runners, holders or commands. */
async function allGone(agent: TestAgent): Promise<void> {
  await eventually('every process of the agent to be gone', () => {
    const left = processesOf(agent.folder);
    if (left.length === 0) return true;
    throw new Error(JSON.stringify(left));
  });
}

t.test('what leaves plugins and runs alone', LONG, async (t) => {
  const world = await startWorld(t);
  const { cluster, agent } = world;
  const gate = join(cluster.folder, 'gate');
  const wasm = await begin(cluster, wasmTask('ticker', ['6000', '100']));
  const command = await begin(cluster, processTask(`${until(gate)}; exit 7`));
  const holders = () =>
    Promise.all([
      holderOf(agent, 'wasm', wasm.execution),
      holderOf(agent, 'process', command.execution),
    ]);
  const before = { plugins: await pluginPids(agent), holders: await holders() };

  const ways: Readonly<Record<string, () => Promise<void>>> = {
    SIGTERM: () => agent.kill('SIGTERM'),
    SIGINT: () => agent.kill('SIGINT'),
    'kill -9': () => agent.kill('SIGKILL'),
    'limpet agent stop': async () => {
      const { stdout, stderr, exit } = await agentStop(world);
      t.match({ exit, stdout }, { exit: { code: 0 }, stdout: /runs and plugins go on/ }, stderr);
    },
  };
  for (const [way, end] of Object.entries(ways)) {
    await end();
    await eventually(`${way} to end the agent`, () => agent.program.exit);
    if (way !== 'kill -9') t.match(agent.program.exit, { code: 0 }, `${way}: an orderly exit`);
    await agent.start();
    t.same(await pluginPids(agent), before.plugins, `${way}: the same plugins`);
    t.same(await holders(), before.holders, `${way}: the same runs`);
    const adopted = { reattached: true, adopted: 1 };
    t.match(await agent.status(), { executors: [adopted, adopted] });
    await agent.hasNo('degraded');
  }
  writeFileSync(gate, '');
  const { run, outcome } = await endedOnce(t, world, command);
  t.match({ run, outcome }, { run: 0, outcome: { by: 'exit', code: 7 } });
  await cluster.stop(wasm.job);
  t.match(await endedOnce(t, world, wasm), { state: 'cancelled', run: 0 });
  const log = await cluster.log(wasm.job);
  t.equal(log, lines(log.split('\n').length - 1), 'every line once, in order');
});

for (const way of [
  'agent stop --kill',
  'SIGTERM with onStop: kill',
  'agent stop with onStop: kill',
])
  t.test(`${way} ends runs, then plugins`, LONG, async (t) => {
    const world = await startWorld(t, way.includes('onStop') ? { onStop: 'kill' } : {});
    const { cluster, agent } = world;
    const wasm = await begin(cluster, wasmTask('ticker', ['600', '100']));
    const command = await begin(cluster, processTask(OBEDIENT));
    await eventually('its trap to be set', async () => (await cluster.log(command.job)) === 'up\n');
    if (way.startsWith('SIGTERM')) await agent.kill('SIGTERM');
    else {
      const options = way.includes('--kill') ? ['--kill'] : [];
      const { stdout, exit, stderr } = await agentStop(world, ...options);
      t.match({ exit, stdout }, { exit: { code: 0 }, stdout: /its plugins and its runs/ }, stderr);
    }
    t.match(agent.program.exit, { code: 0 });
    await allGone(agent);
    t.same(processesOfRun(command.execution), []);

    // Their owner may place them again, as new executions; these two are over.
    await agent.start();
    t.match(await endedOnce(t, world, wasm), {
      state: 'cancelled',
      run: 0,
      outcome: { by: 'stop' },
    });
    t.match(await endedOnce(t, world, command), {
      state: 'cancelled',
      run: 0,
      outcome: { by: 'stop', code: 9 },
    });
    await nothingLeft(agent, wasm);
    await nothingLeft(agent, command);
    await agent.hasNo('foreign', 'degraded');
  });

t.test('agent stop --drain lets runs finish, takes none, and ends', LONG, async (t) => {
  const world = await startWorld(t);
  const { cluster, agent } = world;
  const count = join(cluster.folder, 'count');
  const gate = join(cluster.folder, 'gate');
  const work = await begin(cluster, countedTask(count, `${until(gate)}; exit 7`));
  const service = await begin(cluster, processTask(OBEDIENT));
  await agent.kill();
  await becomeService(agent, service.execution);
  await agent.start();

  const stop = await cluster.limpet('agent', 'stop', '--drain', '--data', agent.folder);
  await stop.waitFor(/waiting for 1 execution\n/);
  t.match(await endedOnce(t, world, service), {
    state: 'cancelled',
    outcome: { by: 'stop', reason: 'drain', code: 9 },
  });
  t.match((await agent.status()).degraded, [/being drained/, /being drained/]);
  await cluster.stop(service.job);
  const later = await cluster.submit(batchJob(processTask('exit 0')));
  await eventually(
    'the new job to wait',
    async () => (await cluster.job(later)).state === 'Queued',
  );

  await t.test('another order overrules it, and runs stay', async (t) => {
    await agent.kill('SIGTERM');
    t.match((await stop.waitForExit()).code, 0);
    t.equal(processesOfRun(work.execution).length > 0, true);
    await agent.start();
    await agent.hasNo('degraded');
    t.match(await cluster.ended(later), { state: 'Completed' });
  });

  const again = await cluster.limpet('agent', 'stop', '--drain', '--data', agent.folder);
  await again.waitFor(/waiting for 1 execution\n/);
  t.equal(again.exit, undefined, 'it waits');
  writeFileSync(gate, '');
  t.match(await again.waitForExit(30_000), { code: 0 }, again.stderr);
  t.match(again.stdout, /no work is left/);
  await allGone(agent);
  t.match(await cluster.ended(work.job), { state: 'Failed' }, 'its end was told before');
  t.match(await cluster.execution(work.job), { run: 0, outcome: { by: 'exit', code: 7 } });
  t.equal(starts(count), 1);
});

t.test('the command itself', LONG, async (t: Test) => {
  const world = await startWorld(t);
  await world.agent.stopAll();
  const without = await agentStop(world);
  t.equal(without.exit?.code, 1);
  t.match(without.stderr, /^error: the agent of \S+ does not run; start it with `limpet dev`\n$/);
  const help = (await world.cluster.ran('agent', 'stop', '--help')).stdout;
  for (const row of ['SIGTERM', 'systemctl', 'crash', '--drain', '--kill', 'agent reset'])
    t.match(help, row);
  const both = await agentStop(world, '--drain', '--kill');
  t.equal(both.exit?.code, 2);
});
