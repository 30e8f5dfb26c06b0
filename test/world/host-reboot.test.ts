/**
 * The host goes down with everything on it and comes up again. What was begun in the other boot is lost (interrupted) and
 * runs no second time; what had ended keeps its end; what had not begun goes on; whoever has the old pids is left alone.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { eventually } from '../kit/eventually.ts';
import { batchJob, lines, processTask, tickScript, wasmTask } from '../kit/job-specs.ts';
import {
  becomeService,
  begin,
  bystander,
  countedTask,
  endedOnce,
  IDLE,
  nothingLeft,
  reboot,
  runFolder,
  starts,
  startWorld,
  vanish,
} from './host-world.ts';

// Many processes on a machine that may be busy.
t.setTimeout(240_000);

t.test('a host that was rebooted', async (t) => {
  t.setTimeout(200_000);
  const world = await startWorld(t);
  const { cluster, agent } = world;
  const count = (name: string): string => join(cluster.folder, `count-${name}`);

  const wasm = await begin(cluster, wasmTask('ticker', ['600', '100']));
  const command = await begin(cluster, countedTask(count('batch'), IDLE));
  const service = await begin(cluster, countedTask(count('service'), IDLE));
  const ended = await begin(cluster, processTask(tickScript(5, 100, 7)));
  await vanish(agent);
  await becomeService(agent, service.execution);
  await eventually('one to end before the host goes down', () =>
    existsSync(join(runFolder(agent, 'process', ended.execution), 'exit')),
  );
  const waiting = await cluster.submit(batchJob(countedTask(count('waiting'), 'exit 0')));
  const owner = bystander(t);
  const claims = [
    { executor: 'wasm', ...wasm },
    { executor: 'process', ...command },
    { executor: 'process', ...service },
    { executor: 'process', ...ended },
  ];
  await reboot(agent, claims, owner);
  await agent.start();

  await t.test('batch work that ran is lost, and no second run begins', async (t) => {
    for (const work of [wasm, command]) {
      const { state, run, outcome } = await endedOnce(t, world, work);
      t.match(
        { state, run, outcome },
        { state: 'failed', run: 0, outcome: { by: 'lost', reason: 'interrupted' } },
      );
      t.match(await cluster.ended(work.job), { state: 'Failed' });
      await nothingLeft(agent, work);
    }
    t.equal(starts(count('batch')), 1);
  });

  await t.test('a service is run again, and its run before counts as interrupted', async (t) => {
    const { execution } = service;
    await eventually('run 1', async () =>
      (await agent.status()).executions.some(
        ({ id, state, run }) => id === execution && state === 'running' && run === 1,
      ),
    );
    t.match(
      (await agent.history(execution)).map(({ cause }) => cause),
      /run 0 ended: lost \(interrupted\)/,
    );
    await eventually('its second start', () => starts(count('service')) === 2);
    await cluster.stop(service.job);
    t.match(await endedOnce(t, world, service), { state: 'cancelled', run: 1 });
    await nothingLeft(agent, service, [0, 1]);
  });

  await t.test('what had ended before keeps its code and its log', async (t) => {
    const { run, outcome } = await endedOnce(t, world, ended);
    t.match({ run, outcome }, { run: 0, outcome: { by: 'exit', code: 7 } });
    t.equal(await cluster.log(ended.job), lines(5));
    await nothingLeft(agent, ended);
  });

  await t.test('what had not begun is run, once', async (t) => {
    t.match(await cluster.ended(waiting), { state: 'Completed' });
    t.equal(starts(count('waiting')), 1);
  });

  t.ok(owner.isUntouched(), 'the new owner of all the old pids was never signalled');
  await agent.hasNo('degraded', 'foreign');
  t.equal((await agent.status()).allocated.cpuMillis, 0);
});
