/** What becomes of real processes whose node has no word from the requester. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, processTask } from '../kit/job-specs.ts';
import type { JsonObject, TestAgent } from '../kit/test-agent.ts';

t.setTimeout(240_000);

const PROCESS = {
  executors: {
    docker: { enabled: false },
    wasm: { enabled: false },
    process: { enabled: true },
  },
};

const ENDLESS = 'echo up; while :; do sleep 0.1; done';

function serviceJob(job: JsonObject): JsonObject {
  return batchJob(processTask(ENDLESS), { Type: 'service', ...job });
}

/** The end of an execution as its node has it; the requester may be away. */
async function endThere(agent: TestAgent, execution: string): Promise<string> {
  return eventually(
    `${execution} to end on its node`,
    async () => {
      const history = await agent.history(execution);
      const end = history.find(({ to }) => to === 'cancelled');
      if (end === undefined) throw new Error(JSON.stringify(history));
      return history.map(({ cause }) => cause).join('\n');
    },
    30_000,
  );
}

t.test('without its requester', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent(PROCESS);
  await agent.start();
  const Disconnect = { StopAfter: '2s' };
  const kept = await cluster.submit(serviceJob({ Disconnect: 'keep' }));
  const keptId = await cluster.running(kept);
  const leased = await cluster.submit(serviceJob({ Disconnect }));
  const leasedId = await cluster.running(leased);

  await t.test('work under a lease ends with it, other work goes on', async (t) => {
    await cluster.requester.kill();
    t.match(await endThere(agent, leasedId), /^stop: lease$/m);
    const { executions } = await agent.status();
    t.match(
      executions.find(({ id }) => id === keptId),
      { state: 'running', run: 0 },
    );
    await cluster.startRequester();
    await eventually(
      'the service to be placed again',
      async () => {
        const all = await cluster.executions(leased);
        if (!all.some(({ id, state }) => id !== leasedId && state === 'running'))
          throw new Error(JSON.stringify(all));
        const ended = all.find(({ id }) => id === leasedId);
        t.match(ended, { state: 'cancelled', outcome: { by: 'limit', reason: 'lease' } });
        return true;
      },
      20_000,
    );
    t.equal(await cluster.running(kept), keptId);
  });

  await t.test('and without its agent its holder ends it', async (t) => {
    const all = await cluster.executions(leased);
    const id = all.find(({ state }) => state === 'running')?.id ?? '';
    await cluster.requester.kill();
    await agent.kill();
    const exit = join(agent.folder, 'runs', 'process', id, '0', 'exit');
    const record = await eventually('the exit record', () => readFileSync(exit, 'utf8'), 20_000);
    t.match(record, /^limit \d+ \d+ lease\n/);
    await agent.launch();
    t.match(await endThere(agent, id), /^run 0 ended: limit \(lease\), code \d+$/m);
  });
});
