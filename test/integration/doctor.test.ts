/** `limpet doctor`: what it says of a whole cluster, of a dead agent, and of each thing that can be wrong. */
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { doctorReportSchema, type DoctorCheck } from '../../wire/doctor.ts';
import { startCluster } from '../kit/cluster.ts';
import { tickerJob } from '../kit/job-specs.ts';
import { freePort, natsServerSkip, startNatsServer } from '../kit/nats-server.ts';
import { startDist, startProgram, distPath } from '../kit/program.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { JsonObject } from '../kit/test-agent.ts';

const answerSchema = z.object({
  v: z.literal(1),
  ok: z.boolean(),
  reports: z.array(doctorReportSchema),
});
type Answer = z.infer<typeof answerSchema>;

const NO_DOCKER = { docker: { enabled: false } };

async function doctor(t: Test, ...args: string[]): Promise<Answer & { readonly code: number }> {
  const program = await startDist(t, 'limpet', { args: ['doctor', ...args, '-o', 'json'] });
  const { code } = await program.waitForExit(60_000);
  t.equal(program.stderr, '', 'nothing but the report');
  return { ...answerSchema.parse(JSON.parse(program.stdout)), code: code ?? -1 };
}

/** The report on an agent with this config that has never run. */
async function ofConfig(t: Test, config: JsonObject): Promise<Answer & { readonly code: number }> {
  const folder = tempDir(t);
  const file = join(folder, 'agent.config.json');
  writeFileSync(file, JSON.stringify({ dataDir: join(folder, 'agent'), ...config }));
  return doctor(t, '--config', file);
}

function find({ reports }: Answer, name: string, program = 'agent'): DoctorCheck {
  const report = reports.find((one) => one.program === program);
  const found = report?.checks.find((check) => check.name === name);
  if (found === undefined) throw new Error(`no check ${name}: ${JSON.stringify(reports)}`);
  return found;
}

function failed({ reports }: Answer): string[] {
  return reports.flatMap(({ checks }) =>
    checks.filter(({ result }) => result === 'fail').map(({ name }) => name),
  );
}

/** Every file below it with its content, but for what a store rewrites while it is open. */
function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  const read = files
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => [file, createHash('sha256').update(readFileSync(file)).digest('hex')]);
  return Object.fromEntries(read) as Record<string, string>;
}

t.test('of a cluster that works nothing fails, and nothing is changed', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent();
  await agent.start();
  const job = await cluster.submit(tickerJob(600));
  const execution = await cluster.running(job);
  const before = await agent.status();
  const requester = ['--requester-data', cluster.requesterFolder];
  const requesterConfig = ['--requester-config', join(cluster.folder, 'requester.config.json')];
  const config = ['--config', `${agent.folder}.config.json`];

  const seen = await doctor(t, ...config, ...requester, ...requesterConfig);
  t.strictSame(failed(seen), []);
  t.equal(seen.code, 0);
  t.equal(seen.ok, true);
  t.match(
    find(seen, 'store').found,
    new RegExp(`in use by the running program.*pid ${before.pid}`),
  );
  t.match(find(seen, 'socket').found, new RegExp(`answers, pid ${before.pid}`));
  const plugin = await agent.pluginPid('wasm');
  t.match(
    find(seen, 'plugin wasm').found,
    new RegExp(`^running, healthy, version .*, pid ${plugin}`),
  );
  t.equal(find(seen, 'requester').found, 'answers');
  t.match(find(seen, 'clock skew').found, /^the clock of the requester is \d+ ms/);
  t.equal(find(seen, 'broker permissions').result, 'ok');
  t.match(find(seen, 'api', 'requester').found, /^http:\/\/127\.0\.0\.1:\d+ answers$/);
  t.match(find(seen, 'token', 'requester').found, /its owner's alone$/);
  t.equal(find(seen, 'broker permissions', 'requester').result, 'ok');

  const after = await agent.status();
  t.equal(after.pid, before.pid);
  t.equal(await agent.pluginPid('wasm'), plugin);
  t.equal(after.link.state, 'linked');
  t.strictSame(
    after.executions.map(({ id, state, run }) => ({ id, state, run })),
    [{ id: execution, state: 'running', run: 0 }],
  );

  t.comment('killed, its folder is looked at, and stays as it is');
  await agent.kill();
  const files = contents(agent.folder);
  const dead = await doctor(t, ...config);
  t.strictSame(failed(dead), []);
  t.equal(find(dead, 'store').result, 'ok');
  t.match(find(dead, 'store').found, /^readable, opened 1 times, 1 executions that are not over$/);
  t.match(find(dead, 'plugin wasm').found, /starts and answers within \d+ ms, version/);
  t.equal(find(dead, 'requester').found, 'answers');
  t.equal(find(dead, 'agent').result, 'warn');
  const log = /\/logs\/|\/runs\//;
  const still = ([file]: readonly [string, string]): boolean => !log.test(file);
  t.strictSame(
    Object.entries(contents(agent.folder)).filter(still),
    Object.entries(files).filter(still),
  );

  t.comment('damaged, of another machine');
  const copy = join(tempDir(t), 'agent');
  cpSync(agent.folder, copy, {
    recursive: true,
    filter: (path) => !/\/(CURRENT|run|LOCK)$/.test(path),
  });
  const identity = z
    .looseObject({ machineId: z.string() })
    .parse(JSON.parse(readFileSync(join(copy, 'identity.json'), 'utf8')));
  const other = { ...identity, machineId: '0123456789abcdef0123456789abcdef' };
  writeFileSync(join(copy, 'identity.json'), JSON.stringify(other));
  const wrong = await doctor(t, ...config, '--data', copy);
  t.equal(wrong.code, 1);
  t.strictSame(failed(wrong).sort(), ['machine id', 'store']);
  t.match(find(wrong, 'store').found, /^damaged: it has files of records and no CURRENT file/);
  t.match(find(wrong, 'machine id').fix, /adopt-host.*reset --identity/);
});

t.test('each thing that is wrong fails with its fix', async (t) => {
  const broker = { nats: { servers: [`nats://127.0.0.1:${await freePort()}`] } };

  t.comment('no broker, no engine, a plugin that everybody may write, one that never answers');
  const folder = tempDir(t);
  const open = join(folder, 'open.sh');
  const mute = join(folder, 'mute.sh');
  writeFileSync(open, '#!/bin/sh\n');
  writeFileSync(mute, '#!/bin/sh\nexec sleep 60\n');
  chmodSync(open, 0o777);
  chmodSync(mute, 0o755);
  const bad = await ofConfig(t, {
    ...broker,
    runDir: `/tmp/${'x'.repeat(70)}`,
    minFreeBytes: 1024 ** 4,
    pluginHealth: { startMs: 5_000 },
    executors: {
      docker: { config: { host: `unix://${folder}/none.sock` } },
      wasm: { config: { warm: 'many' } },
    },
    plugins: [
      { name: 'open', command: [open] },
      { name: 'mute', command: [mute] },
      { name: 'gone', command: [join(folder, 'gone')] },
    ],
  });
  t.equal(bad.code, 1);
  t.strictSame(failed(bad).sort(), [
    'broker',
    'disk',
    'docker engine',
    'plugin gone',
    'plugin mute',
    'plugin open',
    'plugin wasm',
    'socket',
  ]);
  t.match(find(bad, 'broker').found, /refuses connections/);
  t.match(find(bad, 'docker engine').found, /there is no socket/);
  t.match(find(bad, 'plugin open').found, /everybody may write .*open\.sh/);
  t.match(find(bad, 'plugin mute').found, /plugin mute did not start/);
  t.match(find(bad, 'plugin gone').found, /there is no program/);
  t.match(
    find(bad, 'plugin wasm').found,
    /its config is wrong: .*: executors\.wasm\.config\.warm: found "many"; expected a whole number/,
  );
  t.match(find(bad, 'socket').fix, /set runDir/);
  for (const { checks } of bad.reports)
    for (const check of checks.filter(({ result }) => result === 'fail'))
      t.not(check.fix, '', `${check.name} has a fix`);

  t.comment('a config that is wrong');
  const unread = await ofConfig(t, { stopGraceMs: -1 });
  t.strictSame(failed(unread), ['config']);
  t.match(find(unread, 'config').found, /stopGraceMs is -1/);
  t.equal(find(unread, 'everything else').result, 'skipped');
});

t.test('a broker and an engine that say nothing do not make it hang', async (t) => {
  const folder = tempDir(t);
  const silent = createServer(() => undefined);
  const engine = createServer(() => undefined);
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
  await new Promise<void>((done) => engine.listen(join(folder, 'engine.sock'), done));
  t.teardown(() => {
    silent.close();
    engine.close();
  });
  const address = silent.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const began = performance.now();
  const seen = await ofConfig(t, {
    nats: { servers: [`nats://127.0.0.1:${port}`] },
    executors: {
      docker: { config: { host: `unix://${folder}/engine.sock` } },
      wasm: { enabled: false },
    },
  });
  t.ok(performance.now() - began < 30_000, `${performance.now() - began} ms`);
  t.strictSame(failed(seen).sort(), ['broker', 'docker engine']);
  t.match(find(seen, 'broker').found, /does not answer/);
  t.match(find(seen, 'docker engine').found, /silent for 5 s/);
});

t.test('what a broker does not let it do is named', { skip: natsServerSkip() }, async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent({ executors: { ...NO_DOCKER, wasm: { enabled: false } } });
  const { nodeId } = await agent.start();
  await agent.kill();
  const broker = await startNatsServer(t, {
    config: `authorization { users: [
      {user: narrow, password: secret-pass, permissions: {
        publish: ["node.requester.${nodeId}.>"], subscribe: ["_INBOX.${nodeId}.>"]}}] }`,
  });
  const withUser = async (password: string): Promise<Answer> => {
    const file = join(tempDir(t), 'agent.config.json');
    const nats = { servers: [broker.url], user: 'narrow', password };
    const executors = { ...NO_DOCKER, wasm: { enabled: false } };
    writeFileSync(file, JSON.stringify({ dataDir: agent.folder, nats, executors }));
    chmodSync(file, 0o644);
    return doctor(t, '--config', file);
  };
  const narrow = await withUser('secret-pass');
  t.strictSame(failed(narrow).sort(), ['broker permissions', 'requester']);
  t.match(
    find(narrow, 'broker permissions').found,
    `the broker refuses node.compute.${nodeId}.Doctor/v1`,
  );
  t.match(find(narrow, 'requester').fix, /start the requester/);
  t.match(find(narrow, 'config').found, /everybody may read it/);
  const wrong = await withUser('other');
  t.match(find(wrong, 'broker').found, /refuses these credentials/);
  t.notMatch(JSON.stringify([narrow, wrong]), /secret-pass/, 'no secret is shown');
});

t.test(
  'a user who may not look is told so, and nothing fails for it',
  { skip: process.getuid?.() !== 0 && 'needs root, to become somebody else' },
  async (t) => {
    const folder = tempDir(t);
    const data = join(folder, 'agent');
    mkdirSync(join(data, 'store'), { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o755);
    chmodSync(data, 0o755);
    const program = await startProgram(t, 'setpriv', {
      args: [
        ...['--reuid=65534', '--regid=65534', '--clear-groups'],
        ...[process.execPath, distPath('agent.js'), '--doctor', '--data', data],
      ],
      cwd: '/',
    });
    await program.waitForExit(60_000);
    const report = doctorReportSchema.parse(JSON.parse(program.stdout));
    const store = report.checks.find(({ name }) => name === 'store');
    t.equal(store?.result, 'skipped');
    t.match(store?.found, /may not look/);
    t.match(store?.fix, /as root/);
  },
);

t.test('people get one line per check and the fix below it', async (t) => {
  const folder = tempDir(t);
  const file = join(folder, 'agent.config.json');
  const nats = { servers: [`nats://127.0.0.1:${await freePort()}`] };
  const executors = { ...NO_DOCKER, wasm: { enabled: false } };
  writeFileSync(file, JSON.stringify({ dataDir: join(folder, 'agent'), nats, executors }));
  const args = ['doctor', '--config', file];
  const program = await startDist(t, 'limpet', { args });
  const { code } = await program.waitForExit(60_000);
  t.equal(code, 1);
  t.match(program.stdout, /^Agent \(version \S+, does not run\)\nok {7}node /);
  t.match(program.stdout, /\nFAIL {5}broker .*refuses connections.*\n +-> start the broker/);
  t.match(program.stdout, /\n\n\d+ checks: 1 failed, \d+ warnings, \d+ skipped\n$/);
});
