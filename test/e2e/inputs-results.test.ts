/** What goes into a run and what comes out of it, on every executor. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { create } from 'tar';
import { startCluster } from '../kit/cluster.ts';
import { testEngine } from '../kit/engine.ts';
import { batchJob, dockerTask, inline, local, processTask, wasmTask } from '../kit/job-specs.ts';
import type { JsonObject } from '../kit/test-agent.ts';
import { cleanEngineAtEnd } from './containers.ts';

t.setTimeout(240_000);

const engine = await testEngine(t);
const cluster = await startCluster(t);
const allowed = join(cluster.folder, 'allowed');
const secret = join(cluster.folder, 'secret');
mkdirSync(join(allowed, 'sub'), { recursive: true });
mkdirSync(secret);
mkdirSync(`${allowed}-not`);
writeFileSync(join(allowed, 'sub', 'file'), 'from the node\n');
writeFileSync(join(secret, 'file'), 'secret\n');
symlinkSync(secret, join(allowed, 'way-out'));
const agent = cluster.addAgent({
  executors: {
    wasm: { config: { warm: 1, idleMs: 5_000 } },
    process: { enabled: true },
    docker: { enabled: engine.skip === false, config: { host: engine.host, pullPolicy: 'never' } },
  },
  allowLocal: [{ path: allowed }],
  allowEnv: ['NODE_.*_ZONE'],
});
await agent.start({ NODE_A_ZONE: 'north', NODE_A_ZONES: 'wrong' });
if (engine.skip === false) cleanEngineAtEnd(t, engine.host, agent.folder);

t.test('inputs', async (t) => {
  await t.test('an inline file is there', async (t) => {
    const InputSources = [inline(Buffer.from('hello\n'), '/input/file')];
    t.equal(
      await stdoutOf(wasmTask('probe', ['read', '/input/file'], { InputSources })),
      'hello\nok\n',
    );
    t.equal(await stdoutOf(processTask('cat input/file', { InputSources })), 'hello\n');
  });

  await t.test('an inline archive is a folder', async (t) => {
    const folder = join(cluster.folder, 'packed');
    mkdirSync(join(folder, 'deep'), { recursive: true });
    writeFileSync(join(folder, 'deep', 'file'), 'packed\n');
    const archive = join(cluster.folder, 'packed.tgz');
    await create({ gzip: true, cwd: folder, file: archive }, ['.']);
    const InputSources = [inline(readFileSync(archive), '/input/data', 'application/gzip')];
    const task = wasmTask('probe', ['read', '/input/data/deep/file'], { InputSources });
    t.equal(await stdoutOf(task), 'packed\nok\n');
  });

  await t.test('an allowed folder can be read and not written', async (t) => {
    const InputSources = [local(join(allowed, 'sub'), '/input/sub')];
    const read = wasmTask('probe', ['read', '/input/sub/file'], { InputSources });
    t.equal(await stdoutOf(read), 'from the node\nok\n');
    const write = await cluster.submit(
      batchJob(wasmTask('probe', ['write', '/input/sub/new'], { InputSources })),
    );
    t.match(await cluster.ended(write), { state: 'Failed' });
    t.match(await cluster.log(write), /read-only|not permitted|not capable/i);
    t.match((await cluster.execution(write)).outcome, { by: 'exit', code: 1 });
  });

  for (const [what, source, reason] of [
    [
      'a folder that is not allowed',
      local(secret, '/input/x'),
      /not allowed on this node; its operator can/,
    ],
    [
      'a link out of an allowed folder',
      local(join(allowed, 'way-out'), '/input/x'),
      /not allowed on this node/,
    ],
    [
      'a folder beside one that begins alike',
      local(`${allowed}-not`, '/input/x'),
      /not allowed on this node/,
    ],
    [
      'writing where only reading is allowed',
      local(allowed, '/input/x', true),
      /not allowed on this node for writing/,
    ],
  ] as const)
    await t.test(`${what} is refused in one line`, async (t) => {
      t.match(
        await refusalOf(wasmTask('probe', ['read', '/input/x/file'], { InputSources: [source] })),
        reason,
      );
    });
});

t.test('environment', async (t) => {
  await t.test('values of the job and of the node arrive', async (t) => {
    const Env = { PLAIN: 'a b=c', ZONE: 'env:NODE_A_ZONE' };
    for (const task of [wasmTask('cat-env', [], { Env }), processTask('env', { Env })]) {
      const seen = await stdoutOf(task);
      t.match(seen, /^PLAIN=a b=c$/m);
      t.match(seen, /^ZONE=north$/m);
      t.match(seen, /^LIMPET_EXECUTION_ID=e-/m);
    }
  });

  await t.test('what no pattern matches as a whole is refused in one line', async (t) => {
    for (const name of ['NODE_A_ZONES', 'PATH'])
      t.match(
        await refusalOf(processTask('env', { Env: { X: `env:${name}` } })),
        new RegExp(`^[^\\n]*environment X: the node's variable ${name} is not allowed[^\\n]*$`),
      );
  });
});

interface Producer {
  readonly task: JsonObject;
  readonly code: number;
  readonly files: Readonly<Record<string, string>>;
}

const Publisher = { Type: 'local' };
const ResultPaths = [{ Name: 'out', Path: '/output' }];
const asks = { Publisher, ResultPaths };

const producers: Readonly<Record<string, Producer>> = {
  wasm: {
    task: wasmTask('write-output', ['/output', '3'], asks),
    code: 0,
    files: { stdout: 'size 5\nentry data\n', stderr: '', 'out/made/data': 'xxx!\n' },
  },
  process: {
    task: processTask('echo told; mkdir output/d; echo kept > output/d/file', asks),
    code: 0,
    files: { stdout: 'told\n', stderr: '', 'out/d/file': 'kept\n' },
  },
  'process that fails': {
    task: processTask('echo why >&2; echo half > output/file; exit 7', asks),
    code: 7,
    files: { stdout: '', stderr: 'why\n', 'out/file': 'half\n' },
  },
  docker: {
    task: dockerTask('echo told; mkdir /output/d; echo kept > /output/d/file', asks),
    code: 0,
    files: { stdout: 'told\n', stderr: '', 'out/d/file': 'kept\n' },
  },
};

for (const [name, { task, code, files }] of Object.entries(producers))
  t.test(`results of ${name}`, { skip: name === 'docker' && engine.skip }, async (t) => {
    const job = await cluster.submit(batchJob(task));
    await cluster.ended(job);
    const folder = join(cluster.folder, `got-${name.replaceAll(' ', '-')}`);
    const got = await cluster.ran('job', 'get', job, '--output-dir', folder, '--output', 'json');
    t.equal(got.exit?.code, 0, got.stderr);
    const expected = { ...files, exitCode: String(code) };
    t.same(JSON.parse(got.stdout || '{}').files, Object.keys(expected).sort());
    for (const [file, text] of Object.entries(expected))
      t.equal(readFileSync(join(folder, file), 'utf8'), text, file);
  });

/** Of a job that completes. */
async function stdoutOf(task: JsonObject): Promise<string> {
  const job = await cluster.submit(batchJob(task));
  const { state, message } = await cluster.ended(job);
  const stdout = await cluster.log(job);
  if (state !== 'Completed') throw new Error(`${state}: ${message}\n${stdout}`);
  return stdout;
}

/** Of a job that fails before it runs. */
async function refusalOf(task: JsonObject): Promise<string> {
  const job = await cluster.submit(batchJob(task));
  const { state } = await cluster.ended(job);
  const { outcome, startedAt } = await cluster.execution(job);
  if (state !== 'Failed' || startedAt !== undefined || outcome?.by !== 'refused')
    throw new Error(JSON.stringify({ state, startedAt, outcome }));
  return outcome.reason;
}
