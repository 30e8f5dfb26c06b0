/** Two agents on one engine: neither takes, stops or removes what is the other's, whoever is away. */
import t from 'tap';
import { privateEngine, privateEngineSkip } from '../kit/engine.ts';
import { dockerTask } from '../kit/job-specs.ts';
import {
  containerOf,
  dockerExecutor,
  letGo,
  nothingLeftOf,
  sinceWhen,
  startDockerWorld,
  WAIT,
} from './docker-world.ts';
import { BOTH_EXECUTORS, begin, endedOnce, vanish } from './host-world.ts';

t.setTimeout(300_000);

t.test('two agents on one engine', { skip: privateEngineSkip() }, async (t) => {
  const engine = await privateEngine(t);
  const world = await startDockerWorld(t, engine, { labels: { side: 'one' } });
  const { cluster } = world;
  const executors = { ...BOTH_EXECUTORS, process: {}, ...dockerExecutor(engine) };
  const agent = cluster.addAgent({ executors, labels: { side: 'two' } }, 'other');
  await agent.start();
  const other = { ...world, agent };
  const on = (side: string) =>
    begin(cluster, dockerTask(WAIT), {
      Constraints: [{ Key: 'side', Operator: '=', Values: [side] }],
    });
  const [mine, theirs] = await Promise.all([on('one'), on('two')]);
  const since = await sinceWhen(containerOf(other, theirs));
  await vanish(world.agent);
  await vanish(agent);

  const { executors: recovered, foreign } = await world.agent.start();
  t.match(recovered[0], { name: 'docker', adopted: 1 }, 'only its own');
  t.same(foreign, []);
  await letGo(containerOf(world, mine));
  t.equal((await endedOnce(t, world, mine)).state, 'completed');
  await nothingLeftOf(world, mine);
  await world.agent.stopAll();
  t.equal(await sinceWhen(containerOf(other, theirs)), since, 'untouched by all of that');

  t.match((await agent.start()).executors[0], { name: 'docker', adopted: 1 });
  await letGo(containerOf(other, theirs));
  t.equal((await endedOnce(t, other, theirs)).state, 'completed');
  await nothingLeftOf(other, theirs);
});
