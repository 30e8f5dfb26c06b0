/** The clock of the host is set, or its capacity cut, while the agent is away: runs are adopted, deadlines and pauses hold. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { eventually } from '../kit/eventually.ts';
import { batchJob, processTask } from '../kit/job-specs.ts';
import {
  becomeService,
  begin,
  countedTask,
  endedOnce,
  holderOf,
  nothingLeft,
  starts,
  startWorld,
  vanish,
} from './host-world.ts';

// Many processes on a machine that may be busy.
t.setTimeout(240_000);
const LONG = { timeout: 200_000 };

const HALF_AN_HOUR = 1_800_000;
const offBy = (ms: number) => ({ LIMPET_CLOCK_OFFSET_MS: String(ms) });
const until = (file: string): string => `while [ ! -e ${file} ]; do sleep 0.1; done`;

t.test('a clock that is set back, then forward', LONG, async (t) => {
  const world = await startWorld(t);
  const { cluster, agent } = world;
  const count = join(cluster.folder, 'count');
  const fail = join(cluster.folder, 'fail');
  const live = await begin(cluster, processTask(until('/nonexistent')));
  const flaky = await begin(cluster, countedTask(count, `${until(fail)}; exit 3`));
  const holder = await holderOf(agent, 'process', live.execution);
  const stateOf = async (id: string) =>
    (await agent.status()).executions.find((execution) => execution.id === id)?.state;
  await vanish(agent);
  await becomeService(agent, flaky.execution);
  writeFileSync(fail, '');
  await agent.start(offBy(HALF_AN_HOUR));
  await eventually(
    'it to wait for its fourth run',
    async () => starts(count) >= 3 && (await stateOf(flaky.execution)) === 'restarting',
    60_000,
  );
  await agent.kill();
  const before = starts(count);
  rmSync(fail);

  await agent.start();
  t.same(await holderOf(agent, 'process', live.execution), holder, 'the same run');
  await eventually(
    'its next run, which is not half an hour off',
    () => starts(count) > before,
    60_000,
  );
  const next = await cluster.submit(batchJob(processTask('exit 0')));
  t.match(await cluster.ended(next), { state: 'Completed' }, 'new work is done as ever');
  t.equal(await stateOf(live.execution), 'running', 'no deadline is over');

  await agent.kill();
  // The deadline of both is an hour after their placement.
  await agent.start(offBy(4 * HALF_AN_HOUR));
  for (const work of [live, flaky]) {
    t.match(await endedOnce(t, world, work), {
      state: 'failed',
      outcome: { by: 'limit', reason: 'deadline' },
    });
    await nothingLeft(agent, work);
  }
});

t.test('less capacity than what runs', LONG, async (t) => {
  const one = { Resources: { CPU: '1' } };
  const world = await startWorld(t, { capacity: { CPU: '2', Memory: '8Gi' } });
  const { cluster, agent } = world;
  const gate = join(cluster.folder, 'gate');
  const works = [
    await begin(cluster, processTask(`${until(gate)}; exit 7`, one)),
    await begin(cluster, processTask(`${until(gate)}; exit 7`, one)),
  ];
  await agent.kill();
  const file = `${agent.folder}.config.json`;
  const config: unknown = JSON.parse(readFileSync(file, 'utf8'));
  const capacity = { CPU: '1', Memory: '8Gi' };
  writeFileSync(file, JSON.stringify(Object.assign({}, config, { capacity })));

  const status = await agent.start();
  t.match(status, { capacity: { cpuMillis: 1_000 }, allocated: { cpuMillis: 2_000 } });
  t.same(
    status.executions.map(({ state }) => state),
    ['running', 'running'],
    'both are adopted',
  );
  const later = await cluster.submit(batchJob(processTask('exit 0', one)));
  await eventually('new work to wait', async () => (await cluster.job(later)).state === 'Queued');
  writeFileSync(gate, '');
  for (const work of works)
    t.match(await endedOnce(t, world, work), { run: 0, outcome: { by: 'exit', code: 7 } });
  t.match(await cluster.ended(later), { state: 'Completed' }, 'then there is room');
});
