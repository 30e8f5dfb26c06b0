/** Plugins hang, or strangers stand in their place: the right ones are found or started, runs go on, nobody else is touched. */
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { eventually } from '../kit/eventually.ts';
import { lines, processTask, tickScript, wasmTask } from '../kit/job-specs.ts';
import type { TestAgent } from '../kit/test-agent.ts';
import {
  begin,
  bystander,
  changePluginRecord,
  endedOnce,
  holderOf,
  isGone,
  nothingLeft,
  processes,
  startWorld,
  vanish,
  type Work,
  type World,
} from './host-world.ts';

// Many processes on a machine that may be busy.
t.setTimeout(240_000);
// Each waits for a dead time and for its runs, so they wait together.
t.jobs = 3;

/** A plugin that is silent for 3 s is dead. */
const QUICK = { pluginHealth: { everyMs: 500, slowMs: 1_000, deadMs: 3_000 } };
/** Many enough that both still run when their plugins have been ended and started anew, on a busy machine too. */
const LINES = 240;
const EVERY_MS = 100;
const EXECUTORS = ['wasm', 'process'] as const;

type Runs = Readonly<Record<(typeof EXECUTORS)[number], Work>>;

async function beginBoth({ cluster }: World): Promise<Runs> {
  return {
    wasm: await begin(cluster, wasmTask('ticker', [String(LINES), String(EVERY_MS)])),
    process: await begin(cluster, processTask(tickScript(LINES, EVERY_MS, 7))),
  };
}

async function holders(agent: TestAgent, runs: Runs) {
  return Promise.all(EXECUTORS.map((name) => holderOf(agent, name, runs[name].execution)));
}

/** The same processes to the end, every line once, the true code. */
async function wentOn(t: Test, world: World, runs: Runs): Promise<void> {
  for (const [executor, code] of [
    ['wasm', 0],
    ['process', 7],
  ] as const) {
    await world.cluster.ended(runs[executor].job, 90_000);
    const { run, outcome } = await endedOnce(t, world, runs[executor]);
    t.match({ run, outcome }, { run: 0, outcome: { by: 'exit', code } }, executor);
    t.equal(await world.cluster.log(runs[executor].job), lines(LINES), `${executor}: the log`);
    await nothingLeft(world.agent, runs[executor]);
  }
}

async function pluginsOf(agent: TestAgent) {
  const { executors } = await agent.status();
  return executors.flatMap(({ pid }) => {
    const identity = pid === undefined ? undefined : processes.identify(pid);
    return identity === undefined ? [] : [identity];
  });
}

for (const when of ['away', 'there'] as const)
  t.test(`plugins that hang while the agent is ${when}`, { buffered: true }, async (t) => {
    t.setTimeout(200_000);
    const world = await startWorld(t, QUICK);
    const { agent } = world;
    const runs = await beginBoth(world);
    const before = await holders(agent, runs);
    const plugins = await pluginsOf(agent);
    if (when === 'away') await agent.kill();
    for (const plugin of plugins) processes.signal(plugin, 'SIGSTOP');
    if (when === 'away') await agent.launch();
    await eventually('the hung plugins to be ended', () => plugins.every(isGone), 60_000);
    await agent.ready();
    t.same(await holders(agent, runs), before, 'the same holders');
    await agent.hasNo('degraded');
    t.match(await agent.status(), {
      executors: [
        { name: 'wasm', reattached: false, adopted: 1 },
        { name: 'process', reattached: false, adopted: 1 },
      ],
    });
    await wentOn(t, world, runs);
  });

t.test('strangers in their place', { buffered: true }, async (t) => {
  t.setTimeout(200_000);
  const world = await startWorld(t, QUICK);
  const { agent } = world;
  const runs = await beginBoth(world);
  const before = await holders(agent, runs);
  await vanish(agent);

  // The pid of the wasm plugin is another's now; somebody else answers at the socket of the process plugin.
  const owner = bystander(t);
  await changePluginRecord(agent, 'wasm', { Pid: owner.pid });
  const heir = bystander(t);
  const outside = join(world.cluster.folder, 'strange.sock');
  let calls = 0;
  const server = createServer((connection) => {
    calls += 1;
    connection.on('error', () => undefined);
    connection.end();
  }).listen(outside);
  t.teardown(() => server.close());
  await eventually('the strange socket', () => existsSync(outside));
  await changePluginRecord(agent, 'process', {
    Pid: heir.pid,
    startTime: heir.startTime,
    Addr: { Network: 'unix', String: outside },
  });

  await agent.launch();
  await eventually(
    'both to be started anew',
    async () => (await agent.ready()).executors.every(({ reattached }) => reattached === false),
    60_000,
  );
  t.ok(calls > 0, 'the stranger was asked, and not believed');
  t.ok(owner.isUntouched(), 'the new owner of the pid was not signalled');
  t.ok(heir.isUntouched(), 'nor was he whose pid and start time the record named');
  t.ok(existsSync(outside), "a stranger's socket stays");
  t.same(await holders(agent, runs), before, 'the same holders');
  await wentOn(t, world, runs);
  t.ok(owner.isUntouched() && heir.isUntouched());
});
