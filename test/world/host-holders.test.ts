/** What holds a run dies, hangs or finishes while agent and plugins are away: the run ends as it really did, and once. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { eventually } from '../kit/eventually.ts';
import { lines, processTask, tickScript, wasmTask } from '../kit/job-specs.ts';
import {
  becomeService,
  begin,
  bystander,
  countedTask,
  endedOnce,
  holderOf,
  IDLE,
  killAndWait,
  nothingLeft,
  processes,
  processesOfRun,
  runFolder,
  starts,
  startWorld,
  vanish,
  type Work,
} from './host-world.ts';

// Many processes on a machine that may be busy.
t.setTimeout(240_000);

const TIMEOUT_S = 8;
const LIMITED = { Timeouts: { ExecutionTimeout: TIMEOUT_S } };

t.test('holders while agent and plugins are away', async (t) => {
  t.setTimeout(200_000);
  const world = await startWorld(t);
  const { cluster, agent } = world;
  const count = (name: string): string => join(cluster.folder, `count-${name}`);

  const killed = {
    wasm: await begin(cluster, wasmTask('ticker', ['600', '100'])),
    process: await begin(cluster, countedTask(count('killed'), IDLE)),
    service: await begin(cluster, countedTask(count('service'), IDLE)),
  };
  const finished = {
    wasm: await begin(cluster, wasmTask('ticker', ['8', '100'])),
    process: await begin(cluster, processTask(tickScript(8, 100, 7))),
  };
  const late = {
    wasm: await begin(cluster, wasmTask('ticker', ['600', '100'], LIMITED)),
    process: await begin(cluster, processTask(IDLE, LIMITED)),
    hung: await begin(cluster, processTask(IDLE, LIMITED)),
    hungWasm: await begin(cluster, wasmTask('ticker', ['600', '100'], LIMITED)),
  };
  const stopped = await begin(cluster, processTask(`trap 'exit 9' TERM; ${IDLE}`));
  await vanish(agent);
  await becomeService(agent, killed.service.execution);

  await cluster.stop(stopped.job);
  const heir = bystander(t);
  for (const [executor, work] of Object.entries(killed)) {
    const kind = executor === 'wasm' ? 'wasm' : 'process';
    const { pid, startTime, bootId } = await holderOf(agent, kind, work.execution);
    await killAndWait(pid);
    // Its pid is another's now.
    const claim = join(runFolder(agent, kind, work.execution), 'claim');
    writeFileSync(claim, `${heir.pid} ${startTime} ${bootId}\n`);
  }
  for (const [executor, work] of [
    ['process', late.hung],
    ['wasm', late.hungWasm],
  ] as const)
    processes.signal(await holderOf(agent, executor, work.execution), 'SIGSTOP');
  const hasRecord = (executor: string, { execution }: Work): boolean =>
    existsSync(join(runFolder(agent, executor, execution), 'exit')) ||
    // On a slow machine it was over, and removed, before the agent went away.
    !existsSync(runFolder(agent, executor, execution));
  await eventually(
    'the others to end by themselves',
    () =>
      hasRecord('wasm', finished.wasm) &&
      hasRecord('process', finished.process) &&
      hasRecord('wasm', late.wasm) &&
      hasRecord('process', late.process),
    30_000,
  );
  await agent.start();

  await t.test('a dead wasm runner without a record is a crash, not a second run', async (t) => {
    const { state, run, outcome } = await endedOnce(t, world, killed.wasm);
    t.match(
      { state, run, outcome },
      { state: 'failed', run: 0, outcome: { by: 'signal', code: 137, reason: /without an exit/ } },
    );
    await nothingLeft(agent, killed.wasm);
  });

  await t.test('a dead process holder takes its command with it; the run is lost', async (t) => {
    const { state, run, outcome } = await endedOnce(t, world, killed.process);
    t.match(
      { state, run, outcome },
      { state: 'failed', run: 0, outcome: { by: 'lost', reason: 'gone without an exit record' } },
    );
    t.equal(starts(count('killed')), 1);
    await nothingLeft(agent, killed.process);
  });

  await t.test('a service whose holder died is run again in place, once', async (t) => {
    const { execution } = killed.service;
    const found = await eventually('run 1', async () => {
      const now = (await agent.status()).executions.find(({ id }) => id === execution);
      return now?.state === 'running' && now.run === 1 ? now : undefined;
    });
    t.equal(found.id, execution);
    t.same(processesOfRun(execution, 0), [], 'nothing of run 0 is beside it');
    t.equal(starts(count('service')), 2);
    t.match(
      (await agent.history(execution)).map(({ to, cause }) => `${to}: ${cause}`),
      /restarting: run 0 ended: lost \(gone without an exit record\)/,
    );
    await cluster.stop(killed.service.job);
    t.match(await endedOnce(t, world, killed.service), { state: 'cancelled', run: 1 });
    await nothingLeft(agent, killed.service, [0, 1]);
  });

  await t.test('what ended by itself has its own code, time and whole log', async (t) => {
    for (const [executor, work, code] of [
      ['wasm', finished.wasm, 0],
      ['process', finished.process, 7],
    ] as const) {
      const { run, outcome, startedAt = 0, finishedAt = 0 } = await endedOnce(t, world, work);
      t.match({ run, outcome }, { run: 0, outcome: { by: 'exit', code } }, executor);
      t.ok(finishedAt - startedAt < 3_000, `${executor}: it ended then, not when it was found`);
      t.equal(await cluster.log(work.job), lines(8), `${executor}: every line once`);
      await nothingLeft(agent, work);
    }
  });

  await t.test('a deadline is kept by the holder alone, and shows', async (t) => {
    for (const work of [late.wasm, late.process]) {
      const { state, outcome, startedAt = 0, finishedAt = 0 } = await endedOnce(t, world, work);
      t.match(
        { state, outcome },
        { state: 'failed', outcome: { by: 'limit', reason: 'deadline' } },
      );
      t.ok(finishedAt - startedAt < (TIMEOUT_S + 3) * 1_000, `${finishedAt - startedAt} ms`);
      await nothingLeft(agent, work);
    }
  });

  await t.test('one that hangs past its deadline is ended all the same', async (t) => {
    for (const work of [late.hung, late.hungWasm]) {
      const { state, outcome } = await endedOnce(t, world, work);
      t.match(
        { state, outcome },
        { state: 'failed', outcome: { by: 'limit', reason: 'deadline' } },
      );
      await nothingLeft(agent, work);
    }
  });

  await t.test('stopped by its owner meanwhile: ended with its true code', async (t) => {
    const { state, run, outcome } = await endedOnce(t, world, stopped);
    t.match(
      { state, run, outcome },
      { state: 'cancelled', run: 0, outcome: { by: 'stop', code: 9 } },
    );
    await nothingLeft(agent, stopped);
  });

  t.ok(heir.isUntouched(), 'the new owner of the pids of dead holders was never signalled');
});
