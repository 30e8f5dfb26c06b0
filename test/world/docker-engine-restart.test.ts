/** The engine is killed or stopped and started again, with agent and plugin away or not: no run is taken for another. */
import t from 'tap';
import { privateEngine, privateEngineSkip } from '../kit/engine.ts';
import { eventually } from '../kit/eventually.ts';
import { dockerTask } from '../kit/job-specs.ts';
import {
  containerOf,
  letGo,
  lifeOf,
  nothingLeftOf,
  RESTARTED,
  startDockerWorld,
  untilStatus,
  WAIT,
} from './docker-world.ts';
import { begin, endedOnce, vanish, type Work } from './host-world.ts';

t.setTimeout(240_000);

const skip = privateEngineSkip();

t.test('an engine with live-restore', { skip }, async (t) => {
  const engine = await privateEngine(t, { liveRestore: true });
  const world = await startDockerWorld(t, engine);
  const { cluster, agent } = world;
  const script = `echo before; ${WAIT}; echo after; exit 3`;
  const start = (text: string) => begin(cluster, dockerTask(text));
  const partsOf = async ({ job }: Work) => (await cluster.logParts(job)).map(({ text }) => text);

  await t.test('is away when agent and plugin come back: nothing is concluded', async (t) => {
    const [goesOn, ends] = await Promise.all([
      start(script),
      start('echo begun; sleep 3; echo lost; exit 42'),
    ]);
    const before = await lifeOf(world, goesOn);
    await vanish(agent);
    await engine.daemon.kill('SIGKILL');
    await agent.launch();
    const { executors, executions } = await eventually('the executor to tell', async () => {
      const status = await agent.status();
      return /no Docker engine at/.test(status.executors[0]?.reason ?? '') ? status : undefined;
    });
    t.match(executors, [{ name: 'docker', health: 'unhealthy' }]);
    for (const { execution } of [goesOn, ends])
      t.match(
        executions.find(({ id }) => id === execution),
        { state: 'running', run: 0 },
      );

    await engine.daemon.start();
    await agent.ready();
    t.same(await lifeOf(world, goesOn), before, 'the same container, never restarted');
    const other = await endedOnce(t, world, ends);
    t.match(other.outcome, { by: 'exit', code: 42 }, 'its end is told although nobody saw it');
    await letGo(containerOf(world, goesOn));
    const { run, outcome } = await endedOnce(t, world, goesOn);
    t.match({ run, outcome }, { run: 0, outcome: { by: 'exit', code: 3 } });
    t.match(await partsOf(goesOn), ['before\n', RESTARTED, 'after\n']);
    t.match(await partsOf(ends), ['begun\n', RESTARTED], 'what may be missing is told');
    await nothingLeftOf(world, goesOn);
    await nothingLeftOf(world, ends);
  });

  await t.test('restarts under a living agent: runs and logs go on', async (t) => {
    const work = await start(script);
    const before = await lifeOf(world, work);
    await engine.daemon.kill('SIGTERM');
    await engine.daemon.start();
    t.same(await lifeOf(world, work), before);
    await letGo(containerOf(world, work));
    t.match((await endedOnce(t, world, work)).outcome, { by: 'exit', code: 3 });
    t.match(await partsOf(work), ['before\n', RESTARTED, 'after\n']);
    await nothingLeftOf(world, work);
  });

  await t.test('each restart is told once, however often agent and plugin die', async (t) => {
    const work = await start(script);
    const told = (count: number) =>
      eventually(
        `${count} gaps in the log`,
        async () => {
          const parts = await partsOf(work);
          if (parts.length === count + 1) return parts;
          throw new Error(JSON.stringify(parts));
        },
        30_000,
      );
    await told(0);
    await engine.daemon.kill('SIGKILL');
    await engine.daemon.start();
    await told(1);
    await vanish(agent);
    await agent.start();
    await engine.daemon.kill('SIGKILL');
    await vanish(agent);
    await engine.daemon.start();
    await agent.start();
    await told(2);
    await vanish(agent);
    await agent.start();
    await letGo(containerOf(world, work));
    t.match((await endedOnce(t, world, work)).outcome, { by: 'exit', code: 3 });
    t.match(await partsOf(work), ['before\n', RESTARTED, RESTARTED, 'after\n']);
    const shown = await cluster.ran('job', 'logs', work.job);
    t.equal(shown.stdout, 'before\nafter\n');
    t.match(shown.stderr, /^\[gap\] the engine restarted at \S+Z; lines may be missing here$/m);

    const quiet = await start(`echo whole; ${WAIT}; exit 1`);
    await letGo(containerOf(world, quiet));
    t.match((await endedOnce(t, world, quiet)).outcome, { by: 'exit', code: 1 });
    t.same(await partsOf(quiet), ['whole\n'], 'a run that no restart fell into has no gap');
    for (const one of [work, quiet]) await nothingLeftOf(world, one);
  });
});

t.test('an engine without live-restore', { skip }, async (t) => {
  const engine = await privateEngine(t);
  const world = await startDockerWorld(t, engine);
  const { cluster, agent } = world;
  const start = (text: string, job = {}) => begin(cluster, dockerTask(text), job);

  for (const signal of ['SIGKILL', 'SIGTERM'] as const)
    await t.test(`${signal} and a new start, agent and plugin away`, async (t) => {
      const [batch, service, killed] = await Promise.all([
        start(WAIT),
        start(WAIT, { Type: 'service' }),
        start('exec sleep 600'),
      ]);
      await vanish(agent);
      await containerOf(world, killed).kill({ signal: 'SIGINT' });
      await untilStatus(world, killed, { status: 'exited' });
      await engine.daemon.kill(signal);
      await engine.daemon.start();
      await agent.start();

      const lost = await endedOnce(t, world, batch);
      const { state, run, outcome } = lost;
      t.match(
        { state, run, outcome },
        { state: 'failed', run: 0, outcome: { by: 'lost', reason: 'interrupted' } },
        'what the engine ended is lost, not failed',
      );
      t.match([137, 143, 255].includes(outcome?.code ?? -1), true, 'with its true code');
      t.match((await endedOnce(t, world, killed)).outcome, { by: 'exit', code: 130 });

      await untilStatus(world, service, { status: 'running', run: 1 });
      await cluster.stop(service.job);
      t.match(await endedOnce(t, world, service), { state: 'cancelled', run: 1 });
      for (const work of [batch, service, killed]) await nothingLeftOf(world, work);
    });

  await t.test('a stop in good order, of which the run ends long before the engine', async (t) => {
    const obedient = `trap 'exit 143' TERM; echo begun; ${WAIT}`;
    const [batch, stubborn] = await Promise.all([
      start(obedient),
      start("trap '' TERM; echo begun; sleep 600; sleep 600"),
    ]);
    for (const { job } of [batch, stubborn])
      await eventually('its trap to be set', async () => (await cluster.log(job)) === 'begun\n');
    await engine.daemon.kill('SIGTERM');
    await engine.daemon.start();
    for (const work of [batch, stubborn]) {
      const { state, outcome } = await endedOnce(t, world, work);
      t.match(
        { state, outcome },
        { state: 'failed', outcome: { by: 'lost', reason: 'interrupted' } },
      );
      await nothingLeftOf(world, work);
    }
  });

  await t.test('a run that ran out of memory before the engine went is no loss', async (t) => {
    const hungry = 'head -c 200m /dev/zero | tail';
    const work = await begin(cluster, dockerTask(hungry, { Resources: { Memory: '32Mi' } }));
    await vanish(agent);
    await untilStatus(world, work, { status: 'exited' });
    await engine.daemon.kill('SIGTERM');
    await engine.daemon.start();
    await agent.start();
    t.match((await endedOnce(t, world, work)).outcome, { by: 'oom', code: 137 });
    await nothingLeftOf(world, work);
  });
});
