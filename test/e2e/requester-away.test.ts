/** Nothing of the work depends on requester and broker being there. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, lines, wasmTask } from '../kit/job-specs.ts';
import { oneNode, ticking } from '../kit/one-node.ts';
import type { TestAgent } from '../kit/test-agent.ts';

t.setTimeout(240_000);

const TICKS = 20;

t.test('a run that ends while the requester is dead is told once', async (t) => {
  const { cluster, agent } = await oneNode(t);
  const { job, id } = await ticking({ cluster, agent }, TICKS);
  await cluster.requester.kill();
  await ended(agent, id);
  await cluster.startRequester();
  await toldOnce(t, cluster, job);
});

t.test('so is one that ends while requester, broker and agent are dead', async (t) => {
  const { cluster, agent } = await oneNode(t);
  const { job, id } = await ticking({ cluster, agent }, TICKS);
  const exit = join(agent.folder, 'runs', 'wasm', id, '0');
  await cluster.requester.kill();
  await cluster.broker.kill();
  await agent.kill();
  await eventually('the run to end by itself', () => readdirSync(exit).includes('exit'));
  await cluster.broker.restart();
  await Promise.all([cluster.startRequester(), agent.start()]);
  await toldOnce(t, cluster, job);
});

t.test('one that ends while the broker is dead is told once', async (t) => {
  const { cluster, agent } = await oneNode(t);
  const { job, id } = await ticking({ cluster, agent }, TICKS);
  await cluster.broker.kill();
  await eventually('the agent to say so', async () =>
    (await agent.status()).degraded.some((line) => line.includes('broker')),
  );
  await ended(agent, id);
  await cluster.broker.restart();
  await toldOnce(t, cluster, job);
  await agent.hasNo('degraded');
});

t.test('a requester that has lost everything stops nothing', async (t) => {
  const { cluster, agent } = await oneNode(t);
  const { id, holder } = await ticking({ cluster, agent }, 40);
  await cluster.requester.kill();
  rmSync(cluster.requesterFolder, { recursive: true });
  await cluster.startRequester();
  const next = await cluster.submit(batchJob(wasmTask('hello', [])));
  t.match(await cluster.ended(next), { state: 'Completed' }, 'the node works for the new one');
  t.equal(await agent.claim('wasm', id), holder);
  t.match(await agent.status(), { executions: [{ id, state: 'running', run: 0 }] });
  const history = await ended(agent, id);
  t.match(history, { from: 'publishing', to: 'completed' }, 'it ends by itself');
});

/** For its node; answers the event of its end. */
async function ended(agent: TestAgent, execution: string) {
  return eventually(
    `${execution} to end on its node`,
    async () => (await agent.history(execution)).find(({ to }) => to === 'completed'),
    20_000,
  );
}

async function toldOnce(t: Test, cluster: Cluster, job: string): Promise<void> {
  t.match(await cluster.ended(job), { state: 'Completed' });
  const { run, outcome } = await cluster.execution(job);
  t.match({ run, outcome }, { run: 0, outcome: { by: 'exit', code: 0 } });
  t.equal(await cluster.log(job), lines(TICKS));
  const told = (await cluster.told(job)).filter((line) => line.endsWith('Completed successfully'));
  t.same(told.sort(), [
    'Execution: Completed successfully',
    'State Update: Completed successfully',
  ]);
}
