/** Work that finds no room waits with a reason; work that can never be right is refused or fails at once, and says why. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import t from 'tap';
import { z } from 'zod';
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

t.test('parameters that are wrong are refused at submission, and are named', async (t) => {
  const at = 'Tasks[0].Engine.Params';
  for (const [params, reason] of [
    [{ EntryModule: 7 }, `${at}.EntryModule: found the number 7; expected a text`],
    [{}, `${at}.EntryModule: missing; expected a text`],
    [{ EntryModule: '/m', Memory: '1Gi' }, `${at}.Memory: unknown; expected one of EntryModule, `],
    [{ EntryModul: '/m' }, 'did you mean EntryModule?'],
  ] as const) {
    const job = join(agent.folder, 'wrong.json');
    writeFileSync(job, JSON.stringify(batchJob({ Engine: { Type: 'wasm', Params: params } })));
    for (const verb of ['run', 'validate']) {
      const said = await cluster.ran('job', verb, job);
      t.equal(said.exit?.code, 1, said.stdout);
      t.ok(said.stderr.includes(reason), said.stderr);
      t.equal(said.stderr.trim().split('\n').length, 1, 'one line');
    }
  }
});

t.test('the schema of job files has the params of the nodes in place', async (t) => {
  const { stdout } = await cluster.ran('job', 'schema', 'wasm');
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(
    z.record(z.string(), z.unknown()).parse(JSON.parse(stdout)),
  );
  const fits = (job: JsonObject): unknown => validate({ $schema: 'job.schema.json', ...job });
  t.equal(fits(batchJob(wasmTask('hello', []))), true);
  t.equal(fits(batchJob({ Engine: { Type: 'wasm', Params: { EntryModul: 'm' } } })), false);
  t.equal(fits(batchJob({ Engine: { Type: 'docker', Params: { What: 'ever' } } })), true);
  t.equal(fits({ ...batchJob(wasmTask('hello', [])), Typ: 'batch' }), false);
  const { exit, stderr } = await cluster.ran('job', 'schema', 'firecracker');
  t.equal(exit?.code, 1);
  t.match(stderr, "no node has told which params engine 'firecracker' takes; known: wasm");
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

t.test('a plugin whose config is wrong says where', async (t) => {
  const executors = { docker: { enabled: false }, wasm: { config: { maxFile: 10 } } };
  const odd = cluster.addAgent({ executors }, 'odd');
  await odd.launch();
  const reason = await eventually('the plugin to be refused', async () => {
    const wasm = (await odd.status()).executors.find(({ name }) => name === 'wasm');
    return wasm?.reason.includes('maxFile') === true ? wasm.reason : undefined;
  });
  t.match(reason, `${odd.folder}.config.json: executors.wasm.config.maxFile: unknown; expected`);
  t.match(reason, 'did you mean maxFiles?');
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
