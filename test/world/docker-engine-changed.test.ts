/** Another engine answers on the same socket: no run is lost for it until its engine is back or given up. */
import { rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { rawEngine } from '../integration/executor-docker/raw-engine.ts';
import { privateEngine, privateEngineSkip, type PrivateTestEngine } from '../kit/engine.ts';
import { eventually } from '../kit/eventually.ts';
import { dockerTask } from '../kit/job-specs.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { TestAgent, TestStatus } from '../kit/test-agent.ts';
import {
  containerOf,
  letGo,
  lifeOf,
  nothingLeftOf,
  RESTARTED,
  sinceWhen,
  startDockerWorld,
  untilStatus,
  WAIT,
} from './docker-world.ts';
import { begin, endedOnce, vanish, type Work } from './host-world.ts';

t.setTimeout(240_000);

const HEALTH_MS = 20_000;

function untilChanged(agent: TestAgent): Promise<TestStatus> {
  return eventually(
    'the executor to show another engine',
    async () => {
      const status = await agent.status();
      const [docker] = status.executors;
      if (docker?.health === 'unhealthy' && docker.reason.startsWith('engine changed: '))
        return status;
      throw new Error(JSON.stringify(docker));
    },
    HEALTH_MS,
  );
}

t.test('another engine on the same socket', { skip: privateEngineSkip() }, async (t) => {
  const [first, second] = await Promise.all([
    privateEngine(t, { liveRestore: true }),
    privateEngine(t, { liveRestore: true }),
  ]);
  const ids = await Promise.all(
    [first, second].map(async ({ host }) => (await rawEngine(host).info()).ID),
  );
  t.equal(ids[0], ids[1], 'the two are not told apart by the id in /info');
  const images = await Promise.all(
    [first, second].map(({ host, image }) => rawEngine(host).getImage(image).inspect()),
  );
  t.not(images[0]?.Id, images[1]?.Id, 'each has its own image under one name');
  await rawEngine(first.host).getImage(first.image).tag({ repo: 'only/first', tag: '1' });
  const folder = tempDir(t);
  const host = `unix://${join(folder, 'docker.sock')}`;
  const down = new Set<PrivateTestEngine>();
  const answers = async (engine: PrivateTestEngine): Promise<void> => {
    const other = engine === first ? second : first;
    await other.daemon.kill('SIGKILL');
    down.add(other);
    for (const name of ['docker.sock', 'pid']) {
      rmSync(join(folder, name), { force: true });
      symlinkSync(join(dirname(new URL(engine.host).pathname), name), join(folder, name));
    }
    if (down.delete(engine)) await engine.daemon.start();
  };
  await answers(first);
  const world = await startDockerWorld(t, { host });
  const { cluster, agent } = world;
  const onFirst = { ...world, raw: rawEngine(first.host) };
  const onSecond = { ...world, raw: rawEngine(second.host) };
  const start = (text: string, job = {}) => begin(cluster, dockerTask(text), job);
  const restartIsTold = async (t: Test, { job }: Work): Promise<void> => {
    const parts = (await cluster.logParts(job)).map(({ text }) => text);
    t.match(parts, ['before\n', RESTARTED, 'after\n'], 'its engine was away: told once');
  };
  const script = `echo before; ${WAIT}; echo after; exit 3`;

  await t.test('with no run on record it is accepted by itself', async (t) => {
    await vanish(agent);
    await answers(second);
    await agent.start();
    const work = await start(WAIT);
    await letGo(containerOf(onSecond, work));
    t.match((await endedOnce(t, world, work)).state, 'completed');
    await nothingLeftOf(onSecond, work);
    await vanish(agent);
    await answers(first);
    await agent.start();
  });

  await t.test('its return ends the wait, with agent and plugin away in between', async (t) => {
    const work = await start(script);
    const before = await lifeOf(onFirst, work);
    await vanish(agent);
    await answers(second);
    await agent.launch();
    const { executions } = await untilChanged(agent);
    t.match(executions, [{ id: work.execution, state: 'running', run: 0 }], 'nothing is lost');
    await answers(first);
    await agent.ready();
    t.same(await lifeOf(onFirst, work), before);
    await letGo(containerOf(onFirst, work));
    t.match((await endedOnce(t, world, work)).outcome, { by: 'exit', code: 3 });
    await restartIsTold(t, work);
    await nothingLeftOf(onFirst, work);
  });

  await t.test('the same under a living agent and plugin: the log goes on', async (t) => {
    const work = await start(script);
    const before = await lifeOf(onFirst, work);
    await answers(second);
    await untilChanged(agent);
    await answers(first);
    await agent.ready();
    t.same(await lifeOf(onFirst, work), before);
    await letGo(containerOf(onFirst, work));
    t.match((await endedOnce(t, world, work)).outcome, { by: 'exit', code: 3 });
    await restartIsTold(t, work);
    await nothingLeftOf(onFirst, work);
  });

  await t.test(
    'accepted by an operator: its runs are lost, services begin anew here',
    async (t) => {
      const Params = { Image: 'only/first:1', Parameters: ['sh', '-c', WAIT] };
      const [batch, service, poor] = await Promise.all([
        start(WAIT),
        start(WAIT, { Type: 'service' }),
        begin(cluster, { Engine: { Type: 'docker', Params } }, { Type: 'service' }),
      ]);
      await vanish(agent);
      await answers(second);
      await agent.launch();
      await untilChanged(agent);
      const wrong = await cluster.ran(
        'agent',
        'engine',
        'accept',
        'dokcer',
        '--data',
        agent.folder,
      );
      t.match(wrong.stderr, /no executor dokcer here; there are docker/);
      const told = await cluster.ran('agent', 'engine', 'accept', 'docker', '--data', agent.folder);
      t.equal(told.exit?.code, 0, told.stderr);
      for (const { execution } of [batch, service, poor])
        t.match(told.stdout, `given up: ${execution} run 0, held by another engine`);
      const { state, run, outcome } = await endedOnce(t, world, batch);
      t.match({ state, run, outcome }, { state: 'failed', run: 0, outcome: { by: 'lost' } });
      await untilStatus(onSecond, service, { status: 'running', run: 1 });
      const { Image } = await containerOf(onSecond, service, 1).inspect();
      t.equal(Image, images[1]?.Id, 'of the image that this engine has under the name');
      const reason = /^image only\/first:1 is not on this node and the pull policy is never; /;
      const refused = await endedOnce(t, world, poor);
      t.match(refused, { state: 'failed', outcome: { by: 'refused', reason } });
      t.equal((await agent.ready()).executors[0]?.reason, '');
      const next = await sinceWhen(containerOf(onSecond, service, 1));

      // What is left on the first one has a stored outcome: it is ended when that engine is back.
      await vanish(agent);
      await answers(first);
      await agent.launch();
      await untilChanged(agent);
      await eventually(
        'the given up run of the batch job to be removed',
        async () => (await containerIds(onFirst, batch.execution)).length === 0,
        20_000,
      );
      await answers(second);
      await agent.ready();
      t.equal(await sinceWhen(containerOf(onSecond, service, 1)), next, 'the next run goes on');
      await cluster.stop(service.job);
      t.match(await endedOnce(t, world, service), { state: 'cancelled', run: 1 });
      await nothingLeftOf(onSecond, service);
    },
  );
});

async function containerIds(
  { raw }: { readonly raw: ReturnType<typeof rawEngine> },
  execution: string,
): Promise<readonly string[]> {
  const filters = { label: [`limpet.execution-id=${execution}`] };
  return (await raw.listContainers({ all: true, filters })).map(({ Id }) => Id);
}
