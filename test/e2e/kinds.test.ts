/** What a job's kind and its restart policy make of runs that end, on real processes. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startCluster, type Cluster, type Detail } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, local, processTask } from '../kit/job-specs.ts';
import type { JsonObject } from '../kit/test-agent.ts';

t.setTimeout(240_000);

const PROCESS = {
  executors: {
    docker: { enabled: false },
    wasm: { enabled: false },
    process: { enabled: true },
  },
};

const ENDLESS = 'echo up; while :; do sleep 0.1; done';

function serviceJob(script: string, job: JsonObject = {}): JsonObject {
  return batchJob(processTask(script), { Type: 'service', ...job });
}

/** Waits until the only execution of a job is as wanted. */
function until(cluster: Cluster, job: string, is: (execution: Detail) => boolean): Promise<Detail> {
  return eventually(
    `${job} to get there`,
    async () => {
      const execution = await cluster.execution(job);
      if (!is(execution)) throw new Error(JSON.stringify(execution));
      return execution;
    },
    30_000,
  );
}

function causes({ events }: Detail): string[] {
  return events.filter(({ to }) => to === 'restarting').map(({ cause }) => cause);
}

t.test('the node itself starts runs again', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent(PROCESS);
  await agent.start();
  const state = join(cluster.folder, 'state');
  mkdirSync(state);

  await t.test('of a service, whatever their code, with a delay that grows', async (t) => {
    const RestartPolicy = { Delay: '200ms', MaxDelay: '400ms' };
    const job = await cluster.submit(serviceJob('echo up; exit 1', { RestartPolicy }));
    const seen = await until(cluster, job, ({ run }) => run >= 3);
    t.match(causes(seen), [
      'run 0 ended: exit 1; restart 1 in 0.2 s',
      'run 1 ended: exit 1; restart 2 in 0.4 s',
      'run 2 ended: exit 1; restart 3 in 0.4 s',
    ]);
    t.match(await cluster.job(job), { state: 'Running' }, 'the job itself goes on');
    const described = await cluster.ran('job', 'describe', job);
    t.match(described.stdout, /Restarting +run 0 ended: exit 1; restart 1 in 0.2 s/);
    await cluster.stop(job);
    t.match(await cluster.endedExecution(job), { state: 'cancelled', outcome: { by: 'stop' } });
    t.match(await cluster.job(job), { state: 'Stopped' });
  });

  await t.test('of a batch job, as often as it says', async (t) => {
    const folder = join(cluster.folder, 'counted');
    mkdirSync(folder);
    const script = 'echo run >> state/runs; [ $(wc -l < state/runs) -gt 2 ] || exit 5';
    await agent.kill('SIGTERM');
    const config = `${agent.folder}.config.json`;
    const allowed = { allowLocal: [{ path: folder, writable: true }] };
    writeFileSync(
      config,
      JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), ...allowed }),
    );
    await agent.start();
    const task = processTask(script, { InputSources: [local(folder, '/state', true)] });
    const RestartPolicy = { Attempts: 2, Delay: '100ms' };
    const job = await cluster.submit(batchJob(task, { RestartPolicy }));
    t.match(await cluster.ended(job), { state: 'Completed' });
    const { run, outcome, ...rest } = await cluster.endedExecution(job);
    t.match({ run, outcome }, { run: 2, outcome: { by: 'exit', code: 0 } });
    t.match(rest.state, 'completed');
    t.equal(readFileSync(join(folder, 'runs'), 'utf8'), 'run\nrun\nrun\n');

    const short = await cluster.submit(
      batchJob(processTask('exit 5'), { RestartPolicy: { Attempts: 1, Delay: '100ms' } }),
    );
    t.match(await cluster.ended(short), { state: 'Failed', message: /exit 5/ });
    t.match(await cluster.endedExecution(short), { run: 1, outcome: { by: 'exit', code: 5 } });
  });

  await t.test('once, when the agent is killed between two runs', async (t) => {
    const runs = join(state, 'killed-between');
    const script = `echo run >> ${runs}; [ $(wc -l < ${runs}) -lt 2 ] && exit 1; ${ENDLESS}`;
    const job = await cluster.submit(serviceJob(script, { RestartPolicy: { Delay: '2s' } }));
    const { id } = await until(cluster, job, ({ state }) => state === 'restarting');
    await agent.kill();
    await agent.start();
    await until(cluster, job, ({ state, run }) => state === 'running' && run === 1);
    // It runs from its launch on; its shell comes to the first line a moment later.
    await eventually('two runs', () => readFileSync(runs, 'utf8') === 'run\nrun\n');
    const history = await agent.history(id);
    t.equal(history.filter(({ to }) => to === 'restarting').length, 1);
    await cluster.stop(job);
    await cluster.endedExecution(job);
  });

  await t.test('but not after a stop between two runs', async (t) => {
    const runs = join(state, 'stopped-between');
    const script = `echo run >> ${runs}; exit 3`;
    const job = await cluster.submit(serviceJob(script, { RestartPolicy: { Delay: '60s' } }));
    await until(cluster, job, ({ state }) => state === 'restarting');
    await cluster.stop(job);
    const { state: end, run, outcome } = await cluster.endedExecution(job);
    t.match({ end, run, outcome }, { end: 'cancelled', run: 0, outcome: { by: 'stop', code: 3 } });
    t.equal(readFileSync(runs, 'utf8'), 'run\n');
  });

  await t.test('and every matching node runs what ops and daemon bring', async (t) => {
    const daemon = await cluster.submit(
      batchJob(processTask(ENDLESS), { Type: 'daemon', Count: 0 }),
    );
    await cluster.running(daemon);
    await cluster.addAgent(PROCESS, 'late').start();
    await eventually(
      'the daemon to run on the node that came later',
      async () => {
        const all = await cluster.executions(daemon);
        if (all.filter(({ state: at }) => at === 'running').length !== 2)
          throw new Error(JSON.stringify(all));
        return true;
      },
      20_000,
    );
    t.match(await cluster.job(daemon), { state: 'Running', message: '' });

    const half = 'exit $((7 * LIMPET_PARTITION_INDEX))';
    const failing = await cluster.submit(batchJob(processTask(half), { Type: 'ops', Count: 0 }));
    t.match(await cluster.ended(failing), {
      state: 'Failed',
      message: /^1 of 2 nodes failed: .*exit 7/,
    });
    const each = await cluster.executions(failing);
    t.same(each.map(({ outcome }) => outcome?.code).sort(), [0, 7], 'each outcome is recorded');
    const fine = await cluster.submit(batchJob(processTask('echo ran'), { Type: 'ops', Count: 0 }));
    t.match(await cluster.ended(fine), { state: 'Completed' });
    const nodes = (await cluster.executions(fine)).map(({ nodeId }) => nodeId);
    t.equal(new Set(nodes).size, 2, 'once on each node');
    await cluster.stop(daemon);
  });
});
