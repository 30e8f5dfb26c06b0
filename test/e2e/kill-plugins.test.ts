/** The plugin dies in the middle of a run, alone and together with the agent: the run does not notice. */
import t from 'tap';
import { startCluster, type Cluster } from '../kit/cluster.ts';
import { testEngine } from '../kit/engine.ts';
import { eventually } from '../kit/eventually.ts';
import {
  batchJob,
  dockerTask,
  lines,
  processTask,
  tickScript,
  wasmTask,
} from '../kit/job-specs.ts';
import type { JsonObject, TestAgent } from '../kit/test-agent.ts';
import { containersOf, cleanEngineAtEnd, type RunningContainer } from './containers.ts';

t.setTimeout(240_000);

const LINES = 150;
const EVERY_MS = 100;

/** Ends with 0 and with 7; the wasm fixture ends with 0 alone. */
const TASKS: Readonly<
  Record<string, readonly { readonly code: number; readonly task: JsonObject }[]>
> = {
  wasm: [{ code: 0, task: wasmTask('ticker', [String(LINES), String(EVERY_MS)]) }],
  process: [0, 7].map((code) => ({ code, task: processTask(tickScript(LINES, EVERY_MS, code)) })),
  docker: [0, 7].map((code) => ({ code, task: dockerTask(tickScript(LINES, EVERY_MS, code)) })),
};

const engine = await testEngine(t);
const executors = Object.keys(TASKS).filter((name) => name !== 'docker' || engine.skip === false);

if (engine.skip !== false) t.test('runs of docker', { skip: engine.skip }, async () => undefined);

for (const withAgent of [false, true])
  t.test(withAgent ? 'agent and plugins killed together' : 'plugins killed alone', async (t) => {
    const cluster = await startCluster(t);
    const agent = cluster.addAgent({
      executors: {
        wasm: { config: { warm: 1, idleMs: 5_000 } },
        process: { enabled: true },
        docker: {
          enabled: engine.skip === false,
          config: { host: engine.host, pullPolicy: 'never' },
        },
      },
    });
    await agent.start();
    if (engine.skip === false) cleanEngineAtEnd(t, engine.host, agent.folder);
    const runs = await Promise.all(
      executors.flatMap((executor) =>
        (TASKS[executor] ?? []).map((work) => begin(cluster, { executor, ...work })),
      ),
    );
    const before = await Promise.all(runs.map((run) => holderOf(agent, run)));

    await killPlugins(agent, withAgent);
    const after = await Promise.all(runs.map((run) => holderOf(agent, run)));
    t.same(after, before, 'the same containers and processes');

    for (const { executor, code, job } of runs) {
      const what = `${executor}, exit ${code}`;
      t.equal((await cluster.ended(job)).state, code === 0 ? 'Completed' : 'Failed', what);
      t.equal(await cluster.log(job), lines(LINES), `${what}: every line once`);
      const { run, outcome, events } = await cluster.execution(job);
      t.match({ run, outcome }, { run: 0, outcome: { by: 'exit', code } }, what);
      const ends = events.filter(({ to }) => ['completed', 'failed', 'cancelled'].includes(to));
      t.equal(ends.length, 1, `${what}: one terminal event`);
      const told = (await cluster.told(job)).filter((m) =>
        /^Execution: (Completed|Failed|Lost)/.test(m),
      );
      t.same(told, [
        code === 0 ? 'Execution: Completed successfully' : `Execution: Failed: exit ${code}`,
      ]);
    }
  });

interface Run {
  readonly executor: string;
  readonly code: number;
  readonly job: string;
  readonly execution: string;
}

async function begin(
  cluster: Cluster,
  {
    executor,
    code,
    task,
  }: { readonly executor: string; readonly code: number; readonly task: JsonObject },
): Promise<Run> {
  const job = await cluster.submit(batchJob(task));
  return { executor, code, job, execution: await cluster.running(job) };
}

function holderOf(
  agent: TestAgent,
  { executor, execution }: Run,
): Promise<string | RunningContainer> {
  if (executor !== 'docker') return agent.claim(executor, execution);
  return eventually(`the container of ${execution}`, async () => {
    const [one, ...more] = await containersOf(engine.host, execution);
    if (more.length > 0) throw new Error(`${more.length + 1} containers`);
    return one;
  });
}

/** Returns when the new plugins hold the runs again. */
async function killPlugins(agent: TestAgent, withAgent: boolean): Promise<void> {
  const plugins = (await agent.status()).executors.flatMap(({ pid }) => pid ?? []);
  if (withAgent) await agent.kill();
  for (const pid of plugins) process.kill(pid, 'SIGKILL');
  if (withAgent) await agent.launch();
  await eventually('new plugins', async () => {
    const { executors } = await agent.ready();
    return executors.every(({ pid }) => pid !== undefined && !plugins.includes(pid));
  });
}
