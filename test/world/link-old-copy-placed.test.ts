/** A requester is put back to an old copy of its folder: work that it has placed since is not placed a second time. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { executionPage } from '../../cli/api/models.ts';
import { startCluster, type Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, lines, wasmTask } from '../kit/job-specs.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import type { JsonObject, TestAgent } from '../kit/test-agent.ts';
import { linkedBy } from './link-world.ts';

t.setTimeout(300_000);
const skip = natsServerSkip();
/** No node has this label before the copy is taken: until then such a job waits. */
const LATER = { Constraints: [{ Key: 'role', Operator: '=', Values: ['worker'] }] };

for (const part of ['the whole folder', 'the store alone'] as const)
  t.test(`${part}: what runs, and what has ended, is taken up where it is`, { skip }, async (t) => {
    const { cluster, agents } = await world(t, { names: ['agent'] });
    const [agent] = agents;
    const batch = await later(cluster, ticking(80));
    const service = await later(cluster, ticking(2_000), { Type: 'service' });
    const over = await later(cluster, instant(cluster, 'over'));
    const copy = await takeCopy(cluster);
    await asWorker(agents);
    const ids = [await cluster.running(batch), await cluster.running(service)];
    t.match(await cluster.ended(over), { state: 'Completed' });
    const holders = await claims(agent, ids);

    await putBack(cluster, copy, part);
    const fresh = await cluster.submit(batchJob(instant(cluster, 'fresh')));
    t.match(await cluster.ended(fresh), { state: 'Completed' }, 'a new job does not wait');
    const { Problems } = await cluster.api.get('limpet/status', statusSchema);
    t.match(Problems.join('\n'), /older copy: work of before the start is not placed, until/);
    t.same([await cluster.running(batch), await cluster.running(service)], ids, 'the same ones');
    t.same(await claims(agent, ids), holders, 'they run on');
    const placed = (await cluster.told(service)).filter((line) => line.startsWith('Scheduling'));
    t.match(placed, [/^Scheduling: Claimed from n-.*running/]);
    t.match(await cluster.ended(over), { state: 'Completed' }, 'what has ended is not run again');
    t.match(await cluster.execution(over), {
      state: 'completed',
      outcome: { by: 'exit', code: 0 },
    });
    const ledger = readFileSync(join(cluster.folder, 'over'), 'utf8').trim().split('\n');
    t.match(ledger, [/^start /, /^end /], 'once');
    t.match(await cluster.ended(batch), { state: 'Completed' });
    t.equal(await cluster.log(batch), lines(80));
    const ends = (await cluster.told(batch)).filter((line) => line.startsWith('Execution: '));
    t.same(ends, ['Execution: Completed successfully'], 'one result');
    await cluster.stop(service);
    t.match(await cluster.endedExecution(service), { state: 'cancelled', run: 0 });
  });

t.test(
  'the node is away, and comes back in time: nothing is placed before',
  { skip },
  async (t) => {
    const { cluster, agents } = await world(t, { names: ['one', 'two'] });
    const job = await later(cluster, ticking(150));
    const service = await later(cluster, ticking(2_000), { Type: 'service' });
    const copy = await takeCopy(cluster);
    await asWorker(agents);
    const ids = [await cluster.running(job), await cluster.running(service)];
    const away = await holderOf(agents, ids);
    const holders = await claims(away, ids);
    await away.kill();

    await putBack(cluster, copy, 'the whole folder');
    const fresh = await later(cluster, instant(cluster, 'fresh'));
    t.match(await cluster.ended(fresh), { state: 'Completed' }, 'the other node works');
    t.match(await cluster.job(job), { state: 'Queued', message: /may have been placed before/ });
    t.same(await cluster.executions(job), []);
    await away.start();
    t.same([await cluster.running(job), await cluster.running(service)], ids, 'one execution each');
    t.same(await claims(away, ids), holders);
    t.match(await cluster.ended(job, 60_000), { state: 'Completed' });
    t.equal(await cluster.log(job), lines(150));
    await cluster.stop(service);
    t.match(await cluster.endedExecution(service), { state: 'cancelled', run: 0 });
  },
);

t.test('it comes back too late: one of two counts, whichever ends first', { skip }, async (t) => {
  const nodes = { heartbeatIntervalMs: 500, unknownAfterMs: 2_000, unhealthyAfterMs: 6_000 };
  const { cluster, agents } = await world(t, { names: ['one', 'two'], requester: { nodes } });
  const long = await later(cluster, ticking(150));
  const short = await later(cluster, ticking(20));
  const copy = await takeCopy(cluster);
  await asWorker(agents);
  const ids = [await cluster.running(long), await cluster.running(short)];
  const away = await holderOf(agents, ids);
  await away.kill();

  await putBack(cluster, copy, 'the whole folder');
  t.match(await cluster.ended(short), { state: 'Completed' }, 'placed after the threshold');
  const second = await cluster.running(long);
  t.not(second, ids[0]);
  await away.start();
  t.match(await cluster.ended(long, 60_000), { state: 'Completed' });
  const old = await eventually('the old ones to be over', async () => {
    const all = [...(await cluster.executions(long)), ...(await cluster.executions(short))];
    const found = all.filter(({ id }) => ids.includes(id));
    const over = found.length === 2 && found.every(({ state }) => state === 'cancelled');
    if (!over) throw new Error(JSON.stringify(all));
    return found;
  });
  t.match(
    old.find(({ id }) => id === ids[0]),
    { reason: new RegExp(`${second} was placed later`) },
  );
  t.equal(await cluster.log(long), lines(150), 'its log is that of the one that counts');
  t.equal(await cluster.log(short), lines(20));
  const forgotten = await cluster.ran('job', 'logs', short, '--execution', ids[1] ?? '');
  t.equal(forgotten.stdout, lines(20), 'that of the other is there for who names it');
  for (const job of [long, short]) {
    const all = await cluster.executions(job);
    t.equal(all.filter(({ state }) => state === 'completed').length, 1, 'one accepted result');
    const tokens = await attempts(cluster, job);
    t.equal(new Set(tokens).size, tokens.length, `no token twice: ${tokens.join(' ')}`);
  }
});

async function world(
  t: Test,
  { names, requester }: { readonly names: readonly string[]; readonly requester?: JsonObject },
): Promise<{ cluster: Cluster; agents: [TestAgent, ...TestAgent[]] }> {
  const cluster = await startCluster(t, requester === undefined ? {} : { requester });
  const [first, ...others] = names.map((name) =>
    cluster.addAgent({ ...linkedBy(cluster.broker.url), name }, name),
  );
  if (first === undefined) throw new Error('no agent');
  const agents: [TestAgent, ...TestAgent[]] = [first, ...others];
  await Promise.all(agents.map((agent) => agent.start()));
  return { cluster, agents };
}

function ticking(ticks: number): JsonObject {
  return wasmTask('ticker', [String(ticks), '100']);
}

function instant(cluster: Cluster, name: string): JsonObject {
  const Params = { File: join(cluster.folder, name), Lines: 1, Code: 0 };
  return { Engine: { Type: 'ledger', Params } };
}

function later(cluster: Cluster, task: JsonObject, job: JsonObject = {}): Promise<string> {
  return cluster.submit(batchJob(task, { ...LATER, ...job }));
}

/** The requester is stopped, its folder copied, and it goes on. */
async function takeCopy(cluster: Cluster): Promise<string> {
  const copy = join(cluster.folder, 'copy');
  await cluster.requester.kill('SIGTERM');
  cpSync(cluster.requesterFolder, copy, { recursive: true });
  await cluster.startRequester();
  return copy;
}

async function putBack(
  cluster: Cluster,
  copy: string,
  part: 'the whole folder' | 'the store alone',
): Promise<void> {
  const [from, to] =
    part === 'the whole folder'
      ? [copy, cluster.requesterFolder]
      : [join(copy, 'store'), join(cluster.requesterFolder, 'store')];
  await cluster.requester.kill();
  rmSync(to, { recursive: true });
  cpSync(from, to, { recursive: true });
  await cluster.startRequester();
}

/** The waiting jobs fit from now on. */
async function asWorker(agents: readonly TestAgent[]): Promise<void> {
  for (const agent of agents) {
    const file = `${agent.folder}.config.json`;
    const config = z.looseObject({}).parse(JSON.parse(readFileSync(file, 'utf8')));
    writeFileSync(file, JSON.stringify({ ...config, labels: { role: 'worker' } }));
    await agent.kill();
  }
  await Promise.all(agents.map((agent) => agent.start()));
}

async function holderOf(agents: readonly TestAgent[], ids: readonly string[]): Promise<TestAgent> {
  for (const agent of agents) {
    const here = (await agent.status()).executions.map(({ id }) => id);
    if (ids.every((id) => here.includes(id))) return agent;
  }
  throw new Error(`no node has all of ${ids.join(', ')}`);
}

function claims(agent: TestAgent, ids: readonly string[]): Promise<string[]> {
  return Promise.all(ids.map((id) => agent.claim('wasm', id)));
}

const statusSchema = z.looseObject({ Problems: z.array(z.string()) });

const attempt = z.looseObject({
  ComputeState: z.looseObject({ Details: z.looseObject({ Attempt: z.string() }) }),
});

async function attempts(cluster: Cluster, job: string): Promise<string[]> {
  const { Items } = await cluster.api.get(`orchestrator/jobs/${job}/executions`, executionPage);
  return Items.map((item) => attempt.parse(item).ComputeState.Details.Attempt);
}
