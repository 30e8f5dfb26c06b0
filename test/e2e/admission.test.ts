/** Work that finds no room waits with a reason; work that can never be right fails at once and says why. */
import t from 'tap';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, processTask, wasmTask } from '../kit/job-specs.ts';
import type { JsonObject } from '../kit/test-agent.ts';

t.setTimeout(240_000);

const cluster = await startCluster(t);
const agent = cluster.addAgent({ capacity: { CPU: '2', Memory: '4Gi' } });
await agent.start();

t.test('work that is too large now waits, and runs when there is room', async (t) => {
  const Resources = { CPU: '1500m' };
  const first = await cluster.submit(batchJob(wasmTask('spin', [], { Resources })));
  await cluster.running(first);
  const second = await cluster.submit(batchJob(wasmTask('hello', [], { Resources })));
  t.match(await queued(second), /^no node fits: n-\S+ is full: CPU/i);
  t.same(await cluster.executions(second), [], 'it is not placed meanwhile');
  t.equal((await agent.status()).allocated.cpuMillis, 1500);
  await cluster.stop(first);
  t.match(await cluster.ended(second), { state: 'Completed' });
  await eventually(
    'the room to be given back',
    async () => (await agent.status()).allocated.cpuMillis === 0,
  );
});

t.test('work that is too large for every node waits and says so', async (t) => {
  const job = await cluster.submit(batchJob(wasmTask('hello', [], { Resources: { CPU: '64' } })));
  t.match(await queued(job), /^no node fits: n-\S+ is too small for it: CPU/i);
  await cluster.stop(job);
});

t.test('an engine that no node has is waited for', async (t) => {
  const job = await cluster.submit(batchJob({ Engine: { Type: 'firecracker' } }));
  t.match(await queued(job), /^no node fits: n-\S+ has no executor firecracker$/);
  await cluster.stop(job);
});

t.test('the process executor is off unless the operator enables it', async (t) => {
  const job = await cluster.submit(batchJob(processTask('echo ran')));
  t.match(await queued(job), /has no executor process$/);
  await cluster.stop(job);
});

t.test('parameters that are wrong fail at once, and are named', async (t) => {
  for (const [params, reason] of [
    [{ EntryModule: 7 }, 'Engine.Params.EntryModule: must be string'],
    [{}, "Engine.Params: must have required property 'EntryModule'"],
    [{ EntryModule: '/m', Memory: '1Gi' }, "Engine.Params: unknown field 'Memory'"],
  ] as const) {
    const job = await cluster.submit(batchJob({ Engine: { Type: 'wasm', Params: params } }));
    t.match(await cluster.ended(job, 10_000), { state: 'Failed' });
    const { outcome, startedAt } = await cluster.execution(job);
    t.same(outcome, { by: 'refused', reason });
    t.equal(startedAt, undefined);
    const waited = await cluster.ran('job', 'describe', job);
    t.ok(waited.stdout.includes(reason), 'a person reads it');
  }
});

t.test('a module that is not one fails at once', async (t) => {
  const task: JsonObject = wasmTask('hello', []);
  const InputSources = [
    { Source: { Type: 'inline', Params: { URL: 'data:,text' } }, Target: '/module/hello.wasm' },
  ];
  const job = await cluster.submit(batchJob({ ...task, InputSources }));
  t.match(await cluster.ended(job, 10_000), { state: 'Failed' });
  t.match((await cluster.execution(job)).outcome, { by: 'refused', reason: /module/ });
});

/** Why it waits. */
async function queued(job: string): Promise<string> {
  const { message } = await eventually(`${job} to wait`, async () => {
    const now = await cluster.job(job);
    if (now.state !== 'Queued') throw new Error(JSON.stringify(now));
    return now;
  });
  return message;
}
