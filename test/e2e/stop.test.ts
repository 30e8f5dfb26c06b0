/** What ends work, and what does not. */
import t from 'tap';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, lines, processTask, tickScript, wasmTask } from '../kit/job-specs.ts';
import { processesOf } from '../kit/leftovers.ts';

t.setTimeout(240_000);

const PROCESS_TOO = {
  capacity: { CPU: '2', Memory: '8Gi' },
  executors: {
    docker: { enabled: false },
    wasm: { config: { warm: 1, idleMs: 5_000 } },
    process: { enabled: true },
  },
};

/** Runs until it is told to end, which it does with 9. */
const OBEDIENT = `trap 'echo stopping; exit 9' TERM; echo up; while :; do sleep 0.1; done`;

t.test('a stopped job', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent(PROCESS_TOO);
  await agent.start();

  await t.test('that runs ends with its true code under the reason', async (t) => {
    const job = await cluster.submit(batchJob(processTask(OBEDIENT)));
    await cluster.running(job);
    await eventually('its trap to be set', async () => (await cluster.log(job)) === 'up\n');
    const stopped = await cluster.ran('job', 'stop', job);
    t.equal(stopped.exit?.code, 0, stopped.stderr);
    const { state, outcome } = await cluster.endedExecution(job);
    t.match({ state, outcome }, { state: 'cancelled', outcome: { by: 'stop', code: 9 } });
    t.match(await cluster.job(job), { state: 'Stopped' });
    t.equal(await cluster.log(job), 'up\nstopping\n');
  });

  await t.test('that does not listen is killed after the grace', async (t) => {
    const job = await cluster.submit(batchJob(wasmTask('spin', [])));
    await cluster.running(job);
    await cluster.stop(job);
    const { state, outcome } = await cluster.endedExecution(job);
    t.match({ state, outcome }, { state: 'cancelled', outcome: { by: 'stop' } });
  });

  await t.test('that waits in the queue never runs', async (t) => {
    const holder = await cluster.submit(
      batchJob(processTask('sleep 30', { Resources: { CPU: '2' } })),
    );
    await cluster.running(holder);
    const job = await cluster.submit(batchJob(processTask('echo ran')));
    await eventually('it to wait', async () => (await cluster.job(job)).state === 'Queued');
    await cluster.stop(job);
    await cluster.stop(holder);
    await cluster.endedExecution(holder);
    t.match(await cluster.job(job), { state: 'Stopped' });
    t.same(await cluster.executions(job), [], 'it was never placed');
  });

  await t.test('whose node is away is stopped when the node returns', async (t) => {
    const job = await cluster.submit(batchJob(wasmTask('ticker', ['600', '100'])));
    const execution = await cluster.running(job);
    const holder = await agent.claim('wasm', execution);
    await agent.kill();
    await cluster.stop(job);
    t.equal(await agent.claim('wasm', execution), holder, 'it runs on meanwhile');
    await agent.start();
    const { state, run, outcome } = await cluster.endedExecution(job);
    t.match({ state, run, outcome }, { state: 'cancelled', run: 0, outcome: { by: 'stop' } });
  });

  await t.test('that was placed and never taken does not begin', async (t) => {
    await agent.kill();
    const job = await cluster.submit(batchJob(processTask('echo ran')));
    await cluster.execution(job);
    await cluster.stop(job);
    await agent.start();
    const { state, startedAt } = await cluster.endedExecution(job);
    t.match({ state, startedAt }, { state: 'cancelled', startedAt: undefined });
  });
});

t.test('a deadline holds while the agent is dead', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent(PROCESS_TOO);
  await agent.start();
  const Timeouts = { ExecutionTimeout: 2 };
  const jobs = await Promise.all(
    [wasmTask('spin', [], { Timeouts }), processTask('sleep 60', { Timeouts })].map((task) =>
      cluster.submit(batchJob(task)),
    ),
  );
  const executions = await Promise.all(jobs.map((job) => cluster.running(job)));
  const holders = await Promise.all([
    agent.claim('wasm', executions[0] ?? ''),
    agent.claim('process', executions[1] ?? ''),
  ]);
  const plugins = (await agent.status()).executors.flatMap(({ pid }) => pid ?? []);
  await agent.kill();
  for (const pid of plugins) process.kill(pid, 'SIGKILL');
  for (const holder of holders)
    await eventually('the holder to end by itself', () => !isAlive(holder), 10_000);
  await agent.start();
  for (const job of jobs) {
    t.match(await cluster.ended(job), { state: 'Failed' });
    const { outcome, startedAt = 0, finishedAt = 0 } = await cluster.execution(job);
    t.match(outcome, { by: 'limit', reason: 'deadline' });
    t.ok(finishedAt - startedAt < 5_000, `it ended after ${finishedAt - startedAt} ms`);
  }
});

t.test('the agent ends as it is told', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent({ ...PROCESS_TOO, stopGraceMs: 3_000 });
  const first = await agent.start();
  const ticker = await cluster.submit(batchJob(wasmTask('ticker', ['80', '100'])));
  const shell = await cluster.submit(batchJob(processTask(tickScript(80, 100))));
  const before = [
    await agent.claim('wasm', await cluster.running(ticker)),
    await agent.claim('process', await cluster.running(shell)),
  ];
  const plugins = first.executors.map(({ pid }) => pid);

  await agent.kill('SIGTERM');
  t.same(agent.program.exit, { code: 0, signal: null }, 'SIGTERM is an orderly end');
  t.ok(before.every(isAlive), 'runs go on without it');
  t.ok(
    plugins.every((pid) => pid !== undefined && process.kill(pid, 0)),
    'plugins too',
  );
  const { executors } = await agent.start();
  t.match(executors, [
    { name: 'wasm', reattached: true, adopted: 1, pid: plugins[0] },
    { name: 'process', reattached: true, adopted: 1, pid: plugins[1] },
  ]);
  for (const job of [ticker, shell]) {
    t.match(await cluster.ended(job), { state: 'Completed' });
    t.equal(await cluster.log(job), lines(80));
  }

  const spin = await cluster.submit(batchJob(wasmTask('spin', [])));
  // Long enough in dying for its owner to hear of the other one's end, and to find no node for it.
  const sleep = await cluster.submit(batchJob(processTask("trap '' TERM; sleep 60; sleep 60")));
  await Promise.all([spin, sleep].map((job) => cluster.running(job)));
  await agent.stopAll();
  t.same(agent.program.exit, { code: 0, signal: null });
  await eventually('no process to be left', () => {
    const left = processesOf(agent.folder);
    if (left.length > 0) throw new Error(JSON.stringify(left));
    return true;
  });
  const sinceOrder = agent.log.slice(agent.log.indexOf('told to end everything'));
  t.notMatch(sinceOrder, /"to":"starting"/, 'nothing begins any more');
  await eventually('their owner to have them in its queue again', async () => {
    const states = await Promise.all(
      [spin, sleep].map(async (job) => (await cluster.job(job)).state),
    );
    return states.every((state) => state === 'Queued') || undefined;
  });
});

/** Of a claim: `PID START_TIME BOOT`. */
function isAlive(claim: string): boolean {
  try {
    return process.kill(Number(claim.split(' ')[0]), 0);
  } catch {
    return false;
  }
}
