/** Folders of the agent are deleted while it is away: runs end truthfully, nothing of them stays, nothing begins twice. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { eventually } from '../kit/eventually.ts';
import { processTask, wasmTask } from '../kit/job-specs.ts';
import {
  becomeService,
  begin,
  countedTask,
  endedOnce,
  IDLE,
  killAndWait,
  nothingLeft,
  processesOfRun,
  runFolder,
  starts,
  startWorld,
  vanish,
  type Work,
} from './host-world.ts';

// Many processes on a machine that may be busy.
t.setTimeout(240_000);

const RESULTS = {
  Publisher: { Type: 'local' },
  ResultPaths: [{ Name: 'out', Path: '/out' }],
};

t.test('folders that are gone', async (t) => {
  t.setTimeout(200_000);
  const world = await startWorld(t);
  const { cluster, agent } = world;
  const count = (name: string): string => join(cluster.folder, `count-${name}`);

  const live = {
    wasm: await begin(cluster, wasmTask('ticker', ['600', '100'])),
    process: await begin(cluster, processTask(IDLE)),
  };
  const orphan = await begin(cluster, countedTask(count('orphan'), IDLE));
  const service = await begin(cluster, countedTask(count('service'), IDLE));
  const gone = join(cluster.folder, 'agent-is-gone');
  const untilGone = `while [ ! -e ${gone} ]; do sleep 0.1; done`;
  const script = `echo kept > out/file; echo told; ${untilGone}; exit 0`;
  const published = await begin(cluster, processTask(script, RESULTS));
  const emptied = await begin(cluster, processTask(script, RESULTS));
  const finished = await begin(cluster, processTask(`${untilGone}; exit 7`));
  const runner = await agent.claim('wasm', live.wasm.execution);
  const holder = await agent.claim('process', live.process.execution);
  const orphaned = [orphan, service].map(({ execution }) => agent.claim('process', execution));
  await vanish(agent);
  writeFileSync(gone, '');
  for (const claim of await Promise.all(orphaned)) await killAndWait(Number.parseInt(claim));
  await becomeService(agent, service.execution);
  const folderOf = (work: Work, executor = 'process'): string =>
    runFolder(agent, executor, work.execution);
  await eventually('three to end', () =>
    [published, emptied, finished].every((work) => existsSync(join(folderOf(work), 'exit'))),
  );
  for (const folder of [
    join(agent.folder, 'results'),
    join(agent.folder, 'inputs'),
    join(folderOf(emptied), 'outputs'),
    folderOf(finished),
    folderOf(live.process),
    folderOf(orphan),
    folderOf(service),
    folderOf(live.wasm, 'wasm'),
  ])
    rmSync(folder, { recursive: true });
  await agent.start();

  await t.test('without its run folder a live run goes on: what holds it proves it', async (t) => {
    for (const [executor, claim] of [
      ['wasm', runner],
      ['process', holder],
    ] as const) {
      const work = live[executor];
      const { executions } = await agent.status();
      const mine = executions.filter(({ id }) => id === work.execution);
      t.match(mine, [{ state: 'running', run: 0 }]);
      t.equal(await agent.claim(executor, work.execution), claim, 'held as before');
      await cluster.stop(work.job);
      t.match(await endedOnce(t, world, work), { state: 'cancelled', run: 0 });
      await nothingLeft(agent, work);
    }
  });

  await t.test('one whose holder is dead is lost, and nothing of it lives on', async (t) => {
    const { state, run, outcome } = await endedOnce(t, world, orphan);
    t.match({ state, run, outcome }, { state: 'failed', run: 0, outcome: { by: 'lost' } });
    await nothingLeft(agent, orphan);
    t.equal(starts(count('orphan')), 1);
  });

  await t.test('so is one that had ended: its code is not made up', async (t) => {
    const { state, outcome } = await endedOnce(t, world, finished);
    t.match({ state, outcome }, { state: 'failed', outcome: { by: 'lost', code: undefined } });
    await nothingLeft(agent, finished);
  });

  await t.test('a service is run again once nothing of its run before is left', async (t) => {
    await eventually('its second start', () => starts(count('service')) === 2);
    const { execution } = service;
    await eventually('run 1', async () =>
      (await agent.status()).executions.some(
        ({ id, state, run }) => id === execution && state === 'running' && run === 1,
      ),
    );
    t.same(processesOfRun(execution, 0), [], 'nothing of run 0 is beside it');
    await cluster.stop(service.job);
    t.match(await endedOnce(t, world, service), { state: 'cancelled', run: 1 });
    await nothingLeft(agent, service, [0, 1]);
  });

  await t.test(
    'results are published into a folder made anew; what is gone is empty',
    async (t) => {
      for (const [work, file] of [
        [published, 'kept\n'],
        [emptied, undefined],
      ] as const) {
        t.match(await endedOnce(t, world, work), { state: 'completed', outcome: { code: 0 } });
        const into = join(cluster.folder, work.job);
        const got = await cluster.ran('job', 'get', work.job, '--output-dir', into);
        t.equal(got.exit?.code, 0, got.stderr);
        t.equal(textOf(join(into, 'out', 'file')), file);
        t.equal(textOf(join(into, 'stdout')), 'told\n');
        t.equal(textOf(join(into, 'exitCode')), '0');
      }
    },
  );
});

function textOf(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}
