/** Many runs that do not listen are ended together: each is told once, waits out its grace, and is killed. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, processTask } from '../kit/job-specs.ts';
import { processesOf } from '../kit/leftovers.ts';

t.setTimeout(240_000);

const RUNS = 8;
/** The order itself, and once more should the news of the end have been lost. */
const MOST_ORDERS = 3;
const DEAF = "trap '' TERM; echo up; while :; do sleep 0.1; done";

t.test('agent stop --kill with runs that do not listen', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent({
    stopGraceMs: 4_000,
    executors: {
      docker: { enabled: false },
      wasm: { enabled: false },
      process: { enabled: true },
    },
  });
  await agent.start();
  const task = processTask(DEAF, { Resources: { CPU: '10m', Memory: '16Mi' } });
  const jobs = await Promise.all(
    Array.from({ length: RUNS }, () => cluster.submit(batchJob(task))),
  );
  const files = await Promise.all(
    jobs.map(async (job) => {
      const execution = await cluster.running(job);
      await eventually('its trap to be set', async () => (await cluster.log(job)) === 'up\n');
      return join(agent.folder, 'runs/process', execution, '0/stop');
    }),
  );

  const stopping = cluster.ran('agent', 'stop', '--data', agent.folder, '--kill');
  const orders = new Map(files.map((file) => [file, new Set<bigint>()]));
  await eventually(
    'the agent to end',
    () => {
      for (const [file, seen] of orders) {
        const written = statSync(file, { bigint: true, throwIfNoEntry: false })?.mtimeNs;
        if (written !== undefined) seen.add(written);
      }
      return agent.program.exit;
    },
    120_000,
  );
  t.match(await stopping, { exit: { code: 0 } });
  const told = [...orders.values()].map(({ size }) => size);
  t.ok(
    told.every((times) => times > 0 && times <= MOST_ORDERS),
    `told ${told.join(', ')} times`,
  );
  await eventually('no process to be left', () => processesOf(agent.folder).length === 0, 30_000);
});
