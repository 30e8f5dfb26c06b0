/** A run without a record is kept, given back to the owner that knows it, and ended only on proof or by an operator. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { startCluster, type Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, lines, processTask, tickScript, wasmTask } from '../kit/job-specs.ts';
import type { TestAgent } from '../kit/test-agent.ts';
import { loseRecords } from './lost-records.ts';

const PROCESS_TOO = {
  executors: {
    docker: { enabled: false },
    wasm: { config: { warm: 1, idleMs: 5_000 } },
    process: { enabled: true },
  },
};

t.test(
  'records lost, requester there: its owner claims what runs and what has ended',
  async (t) => {
    const { cluster, agent } = await oneNode(t);
    const running = await cluster.submit(batchJob(wasmTask('ticker', ['60', '100'])));
    const shell = await cluster.submit(batchJob(processTask(tickScript(3, 100, 7))));
    const ids = [await cluster.running(running), await cluster.running(shell)];
    const holder = await agent.claim('wasm', ids[0] ?? '');
    await agent.kill();
    await eventually('the shell to end by itself', () =>
      existsSync(exitOf(agent, 'process', ids[1])),
    );
    await loseRecords(agent.folder);

    const { allocated } = await agent.start();
    t.ok(allocated.cpuMillis > 0, 'what runs is counted in what is in use');
    t.match(await cluster.ended(shell), { state: 'Failed' });
    t.match(await cluster.endedExecution(shell), { outcome: { by: 'exit', code: 7 }, run: 0 });
    t.equal(await cluster.log(shell), lines(3), 'its log is whole');
    t.match(await cluster.ended(running), { state: 'Completed' });
    t.equal(await agent.claim('wasm', ids[0] ?? '').catch(() => holder), holder, 'one copy only');
    t.equal(await cluster.log(running), lines(60));
    t.match(await cluster.execution(running), { run: 0, outcome: { by: 'exit', code: 0 } });
    t.match(await agent.status(), { foreign: [], executions: [] });
    const causes = (await agent.history(ids[0] ?? '')).map(({ cause }) => cause);
    t.match(causes[0], /no record: kept as foreign/);
    t.ok(causes.includes('its owner knows it: no longer foreign'), causes.join('\n'));
  },
);

t.test('records lost, owner away: kept through restarts, told hours later', async (t) => {
  const { cluster, agent } = await oneNode(t);
  const long = await cluster.submit(batchJob(wasmTask('ticker', ['600', '100'])));
  const short = await cluster.submit(batchJob(wasmTask('ticker', ['15', '100'])));
  const lasting = await cluster.running(long);
  const ending = await cluster.running(short);
  const holder = await agent.claim('wasm', lasting);
  await cluster.requester.kill();
  await agent.kill();
  await loseRecords(agent.folder);
  for (const _life of [1, 2]) {
    await agent.launch();
    const status = await recovered(agent);
    t.match(status.foreign.sort(), [/wasm: e-/, /wasm: e-/]);
    t.same(status.executions, [], "foreign work is not listed as the node's own");
    await agent.kill();
  }
  await agent.launch();
  await recovered(agent);
  await eventually('the short one to end', async () =>
    (await agent.status()).foreign.some((line) => line.includes('ended: exit 0')),
  );
  t.ok(existsSync(exitOf(agent, 'wasm', ending)), 'nothing of it is removed');
  await cluster.startRequester();
  t.match(await cluster.ended(short), { state: 'Completed' });
  t.equal(await cluster.log(short), lines(15));
  t.equal(await agent.claim('wasm', lasting), holder);
  await eventually("the long one to be its owner's again", async () =>
    (await agent.status()).executions.some(({ id }) => id === lasting),
  );
  await cluster.stop(long);
  t.match(await cluster.endedExecution(long), { state: 'cancelled', run: 0 });
});

t.test('another requester: unknown work stays; an operator stops or adopts it', async (t) => {
  const { cluster, agent } = await oneNode(t);
  const stopped = await cluster.submit(batchJob(wasmTask('ticker', ['600', '100'])));
  const adopted = await cluster.submit(batchJob(wasmTask('ticker', ['40', '100'])));
  const [one, two] = [await cluster.running(stopped), await cluster.running(adopted)];
  await cluster.requester.kill();
  await agent.kill();
  await loseRecords(agent.folder);
  rmSync(cluster.requesterFolder, { recursive: true });
  await cluster.startRequester();
  await agent.start();
  const seen = await eventually('the requester to show them', async () => {
    const { Limpet } = await node(cluster);
    return Limpet.Foreign.length === 2 ? Limpet.Foreign : false;
  });
  t.match(
    seen.map(({ answer }) => answer),
    ['unknown', 'unknown'],
  );
  t.match((await agent.status()).foreign, [/running/, /running/], 'and both run on');

  const described = await cluster.ran('node', 'describe', 'n-');
  t.match(described.stdout, new RegExp(`Foreign.*${one.slice(-8)}`, 's'));
  const listed = await cluster.ran('agent', 'foreign', '--data', agent.folder);
  t.match(listed.stdout, new RegExp(one.slice(-8)));
  t.equal((await cluster.ran('job', 'stop', one, '--foreign')).exit?.code, 0);
  const adopt = ['agent', 'foreign', 'adopt', two, '--data', agent.folder];
  t.equal((await cluster.ran(...adopt)).exit?.code, 0);
  await eventually(
    'both to be over',
    async () => (await agent.status()).foreign.length === 0,
    20_000,
  );
  t.match((await agent.history(one)).at(-2), { to: 'cancelled' });
  t.match((await agent.history(two)).at(-2), { to: 'completed' });
  const again = await cluster.ran('agent', 'foreign', 'stop', one, '--data', agent.folder);
  t.equal(again.exit?.code, 1);
  t.match(again.stderr, /nothing foreign/);
});

t.test('its owner had ordered a stop meanwhile: it is claimed, then stopped', async (t) => {
  const { cluster, agent } = await oneNode(t);
  for (const known of [true, false]) {
    const job = await cluster.submit(batchJob(wasmTask('ticker', ['600', '100'])));
    const id = await cluster.running(job);
    await agent.kill();
    await cluster.stop(job);
    await loseRecords(agent.folder, id);
    if (!known) rmSync(join(agent.folder, 'epochs.json'));
    await agent.start();
    t.match(await cluster.endedExecution(job), { state: 'cancelled' }, `known ${known}`);
  }
});

async function oneNode(t: Test) {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent(PROCESS_TOO);
  await agent.start();
  return { cluster, agent };
}

function exitOf(agent: TestAgent, executor: string, execution = ''): string {
  return join(agent.folder, 'runs', executor, execution, '0', 'exit');
}

/** Its executors have recovered; the requester may be away. */
function recovered(agent: TestAgent) {
  return eventually(
    'the agent to have recovered',
    async () => {
      const status = await agent.status();
      if (status.executors.every(({ recovery }) => recovery === 'complete')) return status;
      throw new Error(JSON.stringify(status.executors));
    },
    30_000,
  );
}

const nodes = z.looseObject({
  Nodes: z.array(
    z.looseObject({
      Limpet: z.looseObject({
        Foreign: z.array(z.looseObject({ executionId: z.string(), answer: z.string() })),
      }),
    }),
  ),
});

async function node(cluster: Cluster) {
  const [first] = (await cluster.api.get('orchestrator/nodes', nodes)).Nodes;
  if (first === undefined) throw new Error('no node');
  return first;
}
