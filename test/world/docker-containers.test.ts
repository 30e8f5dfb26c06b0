/** Containers end, vanish, stand still or begin anew while agent and plugin are away: each run ends as it really did. */
import t from 'tap';
import { privateEngine, privateEngineSkip } from '../kit/engine.ts';
import { eventually } from '../kit/eventually.ts';
import { dockerTask } from '../kit/job-specs.ts';
import {
  commitCopy,
  containerOf,
  letGo,
  lifeOf,
  nothingLeftOf,
  sinceWhen,
  startDockerWorld,
  untilStatus,
  WAIT,
} from './docker-world.ts';
import { begin, endedOnce, vanish } from './host-world.ts';

t.setTimeout(240_000);

const skip = privateEngineSkip();
const IDLE = 'while :; do sleep 0.1; done';
const POLITE = `trap 'exit 9' TERM; ${IDLE}`;
const within = (seconds: number) => ({ Timeouts: { ExecutionTimeout: seconds } });
const TIMEOUT_S = 10;

t.test('containers while agent and plugin are away', { skip }, async (t) => {
  t.setTimeout(200_000);
  const world = await startDockerWorld(t, await privateEngine(t));
  const { cluster, agent } = world;
  const start = (script: string, more = {}, job = {}) =>
    begin(cluster, dockerTask(script, more), job);

  const [still, removed, service, recreated, paused, restarted] = await Promise.all([
    start(`echo before; ${WAIT}; echo after; exit 3`),
    start(IDLE),
    start(IDLE, {}, { Type: 'service' }),
    start(IDLE),
    start(`echo before; ${WAIT}; echo after`),
    start(`echo began; ${WAIT}; exit 5`),
  ]);
  const [stoppedByOwner, stoppedByHand, copied] = await Promise.all([
    start(POLITE),
    start(IDLE),
    start(IDLE),
  ]);
  // Last, so that their time is not over before the agent is away.
  const [overdue, late, pausedLate, inTime] = await Promise.all([
    start(`sleep ${TIMEOUT_S + 2}; exit 7`, within(TIMEOUT_S)),
    start(POLITE, within(TIMEOUT_S)),
    start(POLITE, within(TIMEOUT_S)),
    start('sleep 2; exit 7', within(TIMEOUT_S)),
  ]);
  await vanish(agent);

  const before = await lifeOf(world, still);
  const template = await containerOf(world, recreated).inspect();
  await Promise.all([
    containerOf(world, removed).remove({ force: true }),
    containerOf(world, service).remove({ force: true }),
    containerOf(world, recreated).remove({ force: true }),
    containerOf(world, paused).pause(),
    containerOf(world, pausedLate).pause(),
    containerOf(world, restarted).restart({ t: 0 }),
    containerOf(world, stoppedByHand).stop({ t: 5 }),
    cluster.stop(stoppedByOwner.job),
  ]);
  const { Name, Config } = template;
  const { Labels, Image } = Config;
  await world.raw.createContainer({ name: Name.slice(1), Labels, Image, Cmd: ['true'] });
  const copy = await commitCopy(t, world, { from: containerOf(world, copied), name: 'a-copy' });
  const copySince = await sinceWhen(copy);
  const pausedLife = await lifeOf(world, paused);
  const restartedLife = await lifeOf(world, restarted);
  await untilStatus(world, inTime, { status: 'exited' });
  await untilStatus(world, overdue, { status: 'exited' });
  await agent.start();

  await t.test('one that goes on is adopted, and its log has no hole', async (t) => {
    const adopted = (await agent.history(still.execution)).map(({ cause }) => cause);
    t.match(adopted.at(-1), /adopted, not restarted/);
    t.same(await lifeOf(world, still), before);
    await letGo(containerOf(world, still));
    const { run, outcome } = await endedOnce(t, world, still);
    t.match({ run, outcome }, { run: 0, outcome: { by: 'exit', code: 3 } });
    t.equal(await cluster.log(still.job), 'before\nafter\n');
    await nothingLeftOf(world, still);
  });

  await t.test('a removed one is lost and not run again', async (t) => {
    const { state, run, outcome } = await endedOnce(t, world, removed);
    t.match({ state, run, outcome }, { state: 'failed', run: 0, outcome: { by: 'lost' } });
    await nothingLeftOf(world, removed);
  });

  await t.test('a removed one of a service is lost, and its next run begins', async (t) => {
    const next = await untilStatus(world, service, { status: 'running', run: 1 });
    const causes = (await agent.history(service.execution)).map(({ cause }) => cause);
    t.ok(
      causes.some((cause) => cause.startsWith('run 0 ended: lost')),
      causes.join('; '),
    );
    await cluster.stop(service.job);
    const { state, run } = await endedOnce(t, world, service);
    t.match({ state, run }, { state: 'cancelled', run: 1 }, next.id);
    await nothingLeftOf(world, service);
  });

  await t.test('one made anew under its name by somebody is lost and never started', async (t) => {
    const { state, outcome } = await endedOnce(t, world, recreated);
    t.match(
      { state, outcome },
      { state: 'failed', outcome: { by: 'lost', reason: /never started/ } },
    );
    await nothingLeftOf(world, recreated);
  });

  await t.test('a paused one is adopted as it is and goes on when it may', async (t) => {
    t.same(await lifeOf(world, paused), pausedLife, 'still paused');
    const { executions } = await agent.status();
    t.match(
      executions.find(({ id }) => id === paused.execution),
      { state: 'running', run: 0 },
    );
    await containerOf(world, paused).unpause();
    await letGo(containerOf(world, paused));
    const { state, run } = await endedOnce(t, world, paused);
    t.match({ state, run }, { state: 'completed', run: 0 });
    t.equal(await cluster.log(paused.job), 'before\nafter\n');
    await nothingLeftOf(world, paused);
  });

  await t.test('one that was restarted by hand is adopted as restarted outside', async (t) => {
    const causes = (await agent.history(restarted.execution)).map(({ cause }) => cause);
    t.ok(causes.includes('restarted-outside: another start time, adopted'), causes.join('; '));
    await letGo(containerOf(world, restarted));
    const { run, outcome, startedAt } = await endedOnce(t, world, restarted);
    t.match({ run, outcome }, { run: 0, outcome: { by: 'exit', code: 5 } });
    t.equal(
      startedAt,
      Date.parse(restartedLife.startedAt),
      'the start time is that of the last start',
    );
    t.equal(await cluster.log(restarted.job), 'began\nbegan\n', 'one log over both lives');
    await nothingLeftOf(world, restarted);
  });

  await t.test('one that its owner stopped meanwhile is stopped, with its true code', async (t) => {
    const { state, outcome } = await endedOnce(t, world, stoppedByOwner);
    t.match({ state, outcome }, { state: 'cancelled', outcome: { by: 'stop', code: 9 } });
    await nothingLeftOf(world, stoppedByOwner);
  });

  await t.test(
    'one that somebody stopped by hand ended by itself, as far as we know',
    async (t) => {
      const { state, outcome } = await endedOnce(t, world, stoppedByHand);
      t.match({ state, outcome }, { state: 'failed', outcome: { by: 'exit', code: 143 } });
      await nothingLeftOf(world, stoppedByHand);
    },
  );

  await t.test(
    'one that ended before its deadline keeps its outcome, however late it is found',
    async (t) => {
      const { startedAt = 0, finishedAt = 0, outcome } = await endedOnce(t, world, inTime);
      t.match(outcome, { by: 'exit', code: 7 });
      t.ok(finishedAt - startedAt < TIMEOUT_S * 1_000, 'the finish time is the true one');
      await nothingLeftOf(world, inTime);
    },
  );

  await t.test(
    'one that ended after its deadline ran out of time, with its true code',
    async (t) => {
      const { startedAt = 0, finishedAt = 0, outcome } = await endedOnce(t, world, overdue);
      t.match(outcome, { by: 'limit', reason: 'deadline', code: 7 });
      t.ok(finishedAt - startedAt >= TIMEOUT_S * 1_000, 'the finish time is the true one');
      await nothingLeftOf(world, overdue);
    },
  );

  await t.test('one that runs past its deadline is stopped, paused or not', async (t) => {
    const end = await endedOnce(t, world, late);
    t.match(end.outcome, { by: 'limit', reason: 'deadline', code: 9 });
    const other = await endedOnce(t, world, pausedLate);
    t.match(other.outcome, { by: 'limit', reason: 'deadline' });
    await nothingLeftOf(world, late);
    await nothingLeftOf(world, pausedLate);
  });

  await t.test('a copy with our labels under another name is never touched', async (t) => {
    await cluster.stop(copied.job);
    t.equal((await endedOnce(t, world, copied)).state, 'cancelled');
    await nothingLeftOf(world, copied, ['/a-copy']);
    t.equal(await sinceWhen(copy), copySince, 'it runs as it did');
  });

  await eventually(
    'the agent to have nothing left',
    async () => (await agent.status()).executions.length === 0,
  );
});

t.test('containers while the agent alone is away', { skip }, async (t) => {
  const world = await startDockerWorld(t, await privateEngine(t));
  const { cluster, agent } = world;
  const start = (script: string) => begin(cluster, dockerTask(script));
  const [still, restarted] = await Promise.all([
    start(`echo before; ${WAIT}; echo after; exit 3`),
    start(`echo began; ${WAIT}; exit 5`),
  ]);
  await agent.kill();
  const before = await lifeOf(world, still);
  await containerOf(world, restarted).restart({ t: 0 });
  const restartedLife = await lifeOf(world, restarted);
  await agent.start();

  await t.test('one that its plugin has followed all the while goes on as stored', async (t) => {
    const causes = (await agent.history(still.execution)).map(({ cause }) => cause);
    t.equal(causes.at(-1), 'it runs: adopted, not restarted', causes.join('; '));
    await letGo(containerOf(world, still));
    const { startedAt, run, outcome } = await endedOnce(t, world, still);
    t.match({ run, outcome }, { run: 0, outcome: { by: 'exit', code: 3 } });
    t.equal(startedAt, Date.parse(before.startedAt));
    t.equal(await cluster.log(still.job), 'before\nafter\n');
  });

  await t.test('one that was restarted by hand is adopted with its last start', async (t) => {
    const causes = (await agent.history(restarted.execution)).map(({ cause }) => cause);
    t.equal(
      causes.filter((cause) => cause.startsWith('restarted-outside')).length,
      1,
      causes.join('; '),
    );
    await letGo(containerOf(world, restarted));
    const { run, outcome, startedAt } = await endedOnce(t, world, restarted);
    t.match({ run, outcome }, { run: 0, outcome: { by: 'exit', code: 5 } });
    t.equal(startedAt, Date.parse(restartedLife.startedAt));
    t.equal(await cluster.log(restarted.job), 'began\nbegan\n', 'one log over both lives');
  });
});
