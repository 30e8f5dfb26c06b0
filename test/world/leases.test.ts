/** Containers and WASM runs under a lease, with the link away for longer: ended with that reason, and never two at once. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { rawEngine } from '../integration/executor-docker/raw-engine.ts';
import { startCluster, type Detail } from '../kit/cluster.ts';
import { privateEngine, privateEngineSkip } from '../kit/engine.ts';
import { eventually } from '../kit/eventually.ts';
import { dockerTask, wasmTask } from '../kit/job-specs.ts';
import {
  containerOf,
  dockerConfig,
  lifeOf,
  untilStatus,
  type DockerWorld,
} from './docker-world.ts';
import { begin, holderOf, isGone, runFolder, vanish, type Work } from './host-world.ts';

t.setTimeout(240_000);

const POLITE = `trap 'exit 9' TERM; while :; do sleep 0.1; done`;
const LEASED = { Type: 'service', Disconnect: { StopAfter: '3s' } };

t.test('under a lease', { skip: privateEngineSkip() }, async (t) => {
  const { host } = await privateEngine(t);
  const cluster = await startCluster(t);
  const agent = cluster.addAgent({
    executors: {
      docker: { enabled: true, config: dockerConfig({ host }) },
      wasm: { config: { warm: 1, idleMs: 5_000 } },
    },
  });
  await agent.start();
  const world: DockerWorld = { cluster, agent, raw: rawEngine(host) };
  const [container, module] = await Promise.all([
    begin(cluster, dockerTask(POLITE), LEASED),
    begin(cluster, wasmTask('ticker', ['100000', '100']), LEASED),
  ]);

  /** The causes of all that happened to an execution, once it has ended on its node. */
  const endThere = ({ execution }: Work): Promise<string> =>
    eventually(
      `${execution} to end on its node`,
      async () => {
        const history = await agent.history(execution);
        if (history.some(({ to }) => to === 'cancelled'))
          return history.map(({ cause }) => cause).join('\n');
        throw new Error(JSON.stringify(history));
      },
      60_000,
    );

  /** The owner knows how it ended, and what it placed instead has begun after that end. */
  const next = async (t: Test, { job, execution }: Work): Promise<[Detail, Work]> => {
    const all = await eventually(
      `the next execution of ${job}`,
      async () => {
        const found = await cluster.executions(job);
        const running = found.some(({ id, state }) => id !== execution && state === 'running');
        if (running && found.find(({ id }) => id === execution)?.state === 'cancelled')
          return found;
        throw new Error(JSON.stringify(found));
      },
      60_000,
    );
    const ended = all.find(({ id }) => id === execution);
    const live = all.filter(({ state }) => state === 'running');
    if (ended === undefined || live[0] === undefined) throw new Error('there is none');
    t.equal(live.length, 1, 'one runs');
    t.ok((live[0].startedAt ?? 0) >= (ended.finishedAt ?? Infinity), 'after the end of the other');
    return [ended, { job, execution: live[0].id }];
  };

  let works = [container, module] as const;
  const bothNext = async (t: Test): Promise<void> => {
    const [[first, a], [second, b]] = await Promise.all([next(t, works[0]), next(t, works[1])]);
    t.match(first.outcome, { by: 'limit', reason: 'lease', code: 9 }, 'with its true code');
    t.match(second.outcome, { by: 'limit', reason: 'lease' });
    const { raw } = world;
    const running = await raw.listContainers({ filters: { label: ['limpet.role=run'] } });
    t.equal(running.length, 1, 'one container runs');
    works = [a, b];
  };

  await t.test('the agent stops them, or who holds them is a moment faster', async (t) => {
    const either = /^(stop: lease|run 0 ended: limit \(lease\), code \d+)$/m;
    const holder = await holderOf(agent, 'wasm', works[1].execution);
    await cluster.broker.kill();
    for (const work of works) t.match(await endThere(work), either);
    t.ok(isGone(holder), 'the runner is gone while the link is away');
    await cluster.broker.restart();
    await bothNext(t);
  });

  await t.test('without the agent, plugin and runner do', async (t) => {
    await cluster.broker.kill();
    await agent.kill();
    await untilStatus(world, works[0], { status: 'exited' });
    const { State } = await containerOf(world, works[0]).inspect();
    t.equal(State.ExitCode, 9, 'it was asked, not killed');
    const exit = join(runFolder(agent, 'wasm', works[1].execution), 'exit');
    const record = await eventually('the exit record', () => readFileSync(exit, 'utf8'), 30_000);
    t.match(record, /^limit (-|\d+) \d+ lease\n/);
    await agent.launch();
    t.match(await endThere(works[0]), /^run 0 ended: limit \(lease\), code 9$/m);
    t.match(await endThere(works[1]), /^run 0 ended: limit \(lease\)/m);
    await cluster.broker.restart();
    await bothNext(t);
  });

  await t.test('without agent and plugin, a container is stopped when they are back', async (t) => {
    await cluster.broker.kill();
    const { id } = await lifeOf(world, works[0]);
    await vanish(agent);
    const exit = join(runFolder(agent, 'wasm', works[1].execution), 'exit');
    await eventually('the runner to end its run', () => readFileSync(exit, 'utf8'), 30_000);
    t.match(await lifeOf(world, works[0]), { id, status: 'running' }, 'nobody is left to stop it');
    await agent.launch();
    t.match(await endThere(works[0]), /lease/);
    t.match(await endThere(works[1]), /^run 0 ended: limit \(lease\)/m);
    await cluster.broker.restart();
    await bothNext(t);
  });
});
