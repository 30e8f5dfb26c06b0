/** What an operator sees of plugins: the commands over a real socket, as an agent serves it. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import t, { type Test } from 'tap';
import { listenLocal } from '../../agent/api/local-api.ts';
import { pluginRoutes, type PluginDesk } from '../../agent/api/plugin-routes.ts';
import { boundLog } from '../../agent/plugins/plugin-log.ts';
import { run } from '../../cli/run.ts';
import { LimpetError } from '../../core/errors.ts';
import type { PluginFact } from '../../wire/plugins.ts';
import { eventually } from '../kit/eventually.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(120_000);

const NOW = Date.parse('2026-03-01T12:00:00Z');

const docker: PluginFact = {
  name: 'docker',
  source: 'built-in',
  command: ['/usr/bin/node', '/opt/limpet/executor-docker.js'],
  path: '/opt/limpet/executor-docker.js',
  sha256: 'ab'.repeat(32),
  pinned: false,
  state: 'running',
  health: 'healthy',
  reason: '',
  version: '1.2.0',
  protocol: 1,
  pid: 4711,
  instance: '0badcafe-0000-4000-8000-000000000000',
  address: '/run/limpet/0badcafe/plugin.sock',
  startedAt: NOW - 300_000,
  reattached: true,
  restarts: 1,
  runs: 3,
  capabilities: ['renew'],
};

const flaky: PluginFact = {
  name: 'flaky',
  source: 'folder',
  command: ['/usr/local/lib/limpet/plugins/flaky'],
  path: '/usr/local/lib/limpet/plugins/flaky',
  pinned: true,
  state: 'restarting',
  health: 'unhealthy',
  reason: 'it ended with code 3; it said: no disk; next try in 4 s',
  version: '',
  reattached: false,
  restarts: 7,
  runs: 0,
  capabilities: [],
};

const HCLOG = `{"@level":"warn","@message":"pull is slow","@module":"docker","@timestamp":"2026-03-01T11:59:58.123000Z","image":"busybox","tries":2,"why":"no answer"}`;

async function agentOf(t: Test, change: Partial<PluginDesk> = {}) {
  const folder = tempDir(t);
  mkdirSync(join(folder, 'plugins'));
  const logFile = (name: string): string => join(folder, 'plugins', `${name}.log`);
  const desk: PluginDesk = {
    set: () => [docker, flaky],
    restart: async () => undefined,
    attributes: (name) => (name === 'docker' ? { 'docker.version': '24.0' } : {}),
    record: async (name) => (name === 'docker' ? { Protocol: 'grpc', Pid: 4711 } : undefined),
    schemas: (name) =>
      name === 'docker' ? { config: { title: 'config' }, params: { title: 'params' } } : undefined,
    logFile,
    ...change,
  };
  const socket = join(folder, 'a.sock');
  let close = await listenLocal(pluginRoutes(desk), socket);
  writeFileSync(join(folder, 'agent.json'), JSON.stringify({ socket, pid: process.pid }));
  t.teardown(() => close());
  const end = async (): Promise<void> => {
    await close();
    close = async () => undefined;
  };
  return { folder, logFile, end, plugin: (...args: string[]) => limpet(folder, args) };
}

/** `limpet plugin ...`, to its end. */
async function limpet(folder: string, args: readonly string[]) {
  const out = sink();
  const err = sink();
  const code = await run(['plugin', ...args, '--data', folder], {
    env: {},
    stdin: Readable.from([]),
    stdout: out.stream,
    stderr: err.stream,
    now: () => NOW,
  });
  return { code, stdout: out.text(), stderr: err.text() };
}

function sink(): { readonly stream: Writable; text(): string } {
  let text = '';
  const stream = new Writable({
    write(part: Buffer, _encoding, done) {
      text += part.toString();
      done();
    },
  });
  return { stream, text: () => text };
}

t.test('the list, as a table and as JSON', async (t) => {
  const { plugin } = await agentOf(t);
  const { code, stdout } = await plugin('list');
  t.equal(code, 0);
  t.strictSame(
    stdout.split('\n').map((line) => line.split(/ {2,}/)),
    [
      'NAME SOURCE STATE HEALTH VERSION PID UP RESTARTS RUNS REASON'.split(' '),
      ['docker', 'built-in', 'running', 'healthy', '1.2.0', '4711', '5m', '1', '3'],
      ['flaky', 'folder', 'restarting', 'unhealthy', '7', '0', flaky.reason],
      [''],
    ],
  );
  t.strictSame(JSON.parse((await plugin('list', '-o', 'json')).stdout), [docker, flaky]);
});

t.test('a plugin that is being upgraded says what is left to do', async (t) => {
  const upgrade = { version: '2.0.0', pid: 4800, runsLeft: 2 };
  const { plugin } = await agentOf(t, {
    set: () => [{ ...docker, state: 'upgrading', upgrade }],
  });
  t.match((await plugin('list')).stdout, /upgrading.*2 runs to hand over to version 2\.0\.0/);
  t.match((await plugin('inspect', 'docker')).stdout, /^Upgrade +version 2\.0\.0, pid 4800, /m);
});

t.test('a schema that is not used is told, and stops nothing', async (t) => {
  const warnings = ['its schema of task params is not used: it is no JSON Schema'];
  const { plugin } = await agentOf(t, { set: () => [{ ...docker, warnings }] });
  t.match(
    (await plugin('list')).stdout,
    / 3 +its schema of task params is not used: it is no JSON/,
  );
  t.match(
    (await plugin('inspect', 'docker')).stdout,
    /^Warning +its schema of task params is not/m,
  );
});

t.test('everything about one', async (t) => {
  const { plugin } = await agentOf(t);
  const { stdout } = await plugin('inspect', 'docker');
  for (const line of [
    /^Source +built-in$/m,
    /^Capabilities +renew$/m,
    /^SHA-256 +(ab){32}$/m,
    /^Pinned +no$/m,
    /^Up +5m, found again by this agent$/m,
    /^Runs +3$/m,
    /^Attributes\ndocker\.version +24\.0$/m,
    /^Reattach record\nProtocol +grpc\nPid +4711$/m,
  ])
    t.match(stdout, line);
  const json: unknown = JSON.parse((await plugin('inspect', 'docker', '-o', 'json')).stdout);
  t.strictSame(json, {
    ...docker,
    attributes: { 'docker.version': '24.0' },
    record: { Protocol: 'grpc', Pid: 4711 },
  });
  const other = (await plugin('inspect', 'flaky')).stdout;
  t.match(other, /^Pinned +yes/m);
  t.notMatch(other, /Reattach|Attributes|Pid/);
});

t.test('a name that is not there is told with those that are', async (t) => {
  const { plugin } = await agentOf(t);
  for (const args of [['inspect'], ['restart'], ['logs'], ['schema'], ['schema', '--config']])
    t.strictSame(await plugin(...args, 'dokcer'), {
      code: 1,
      stdout: '',
      stderr: "error: there is no plugin 'dokcer'; there are: docker, flaky\n",
    });
});

t.test('an agent that does not run is told as by agent status', async (t) => {
  const { folder, end, plugin } = await agentOf(t);
  mkdirSync(join(folder, 'store'));
  await end();
  for (const args of [['list'], ['inspect', 'docker'], ['logs', 'docker'], ['schema', 'docker']])
    t.match(await plugin(...args), { code: 1, stderr: `error: the agent of ${folder} does not` });
});

t.test('schemas', async (t) => {
  const { plugin } = await agentOf(t);
  t.strictSame(JSON.parse((await plugin('schema', 'docker')).stdout), { title: 'params' });
  t.strictSame(JSON.parse((await plugin('schema', 'docker', '--config')).stdout), {
    title: 'config',
  });
  const { code, stderr } = await plugin('schema', 'flaky');
  t.equal(code, 1);
  t.equal(
    stderr,
    `error: plugin flaky has not told its schema: it is restarting (${flaky.reason})\n`,
  );
});

t.test('a restart is told when the new process runs', async (t) => {
  let now = docker;
  const { plugin } = await agentOf(t, {
    set: () => [now, flaky],
    restart: async () => {
      now = { ...docker, state: 'starting' };
      setTimeout(() => (now = { ...docker, pid: 4999, instance: 'another-one' }), 150);
    },
  });
  const { code, stdout } = await plugin('restart', 'docker');
  t.strictSame(
    { code, stdout },
    { code: 0, stdout: 'docker: restarted, version 1.2.0, pid 4999\n' },
  );
});

t.test('a plugin that was removed can be restarted for its runs', async (t) => {
  let now = docker;
  const { plugin } = await agentOf(t, {
    set: () => [now],
    restart: async () => void (now = { ...docker, state: 'removed', instance: 'next', pid: 5 }),
  });
  t.strictSame(await plugin('restart', 'docker'), {
    code: 0,
    stdout: 'docker: restarted, version 1.2.0, pid 5\n',
    stderr: '',
  });
});

t.test('a restart that fails says why', async (t) => {
  const { plugin } = await agentOf(t);
  const { code, stderr } = await plugin('restart', 'flaky');
  t.strictSame({ code, stderr }, { code: 1, stderr: `error: plugin flaky: ${flaky.reason}\n` });
  const refusing = await agentOf(t, {
    restart: () => Promise.reject(new LimpetError('plugin-failed', 'its pin does not fit')),
  });
  t.match(await refusing.plugin('restart', 'flaky'), {
    code: 1,
    stderr: 'error: its pin does not fit\n',
  });
});

t.test("a plugin's log for people, and as it is", async (t) => {
  const { plugin, logFile } = await agentOf(t);
  t.strictSame(await plugin('logs', 'docker'), { code: 0, stdout: '', stderr: '' }, 'none yet');
  writeFileSync(logFile('docker'), `first\n${HCLOG}\n{"not":"a log"}\nno end`);
  t.equal(
    (await plugin('logs', 'docker')).stdout,
    [
      'first',
      '2026-03-01 11:59:58.123 warn  docker: pull is slow image=busybox tries=2 why="no answer"',
      '{"not":"a log"}',
      'no end\n',
    ].join('\n'),
  );
  t.equal((await plugin('logs', 'docker', '-n', '1')).stdout, 'no end\n');
  t.equal((await plugin('logs', 'docker', '-n', '0')).stdout, '');
  t.match((await plugin('logs', 'docker', '--raw')).stdout, HCLOG);
  t.match(await plugin('logs', 'docker', '-n', '9999999'), { code: 2, stderr: /at most 100000/ });
});

t.test('the newest lines reach back over the bound of the file', async (t) => {
  const { plugin, logFile } = await agentOf(t);
  const file = logFile('docker');
  writeFileSync(file, 'one\ntwo\n');
  await boundLog(file, 0);
  writeFileSync(file, 'three\n');
  t.equal((await plugin('logs', 'docker', '-n', '2')).stdout, 'two\nthree\n');
});

t.test('who follows gets every line once, over the bound too, until the agent ends', async (t) => {
  const { folder, end, logFile } = await agentOf(t);
  const file = logFile('docker');
  writeFileSync(file, 'zero\none\ntw');
  const out = sink();
  const following = run(['plugin', 'logs', 'docker', '-f', '-n', '2', '--data', folder], {
    env: {},
    stdin: Readable.from([]),
    stdout: out.stream,
    stderr: sink().stream,
    now: () => NOW,
  });
  const shows = (text: string) =>
    eventually(`'${text}' in ${out.text()}`, () => out.text() === text);
  await shows('one\n');
  appendFileSync(file, 'o\nthr');
  await shows('one\ntwo\n');
  appendFileSync(file, 'ee\nfour\n');
  await boundLog(file, 0);
  appendFileSync(file, 'five\n');
  await shows('one\ntwo\nthree\nfour\nfive\n');
  await end();
  t.equal(await following, 1);
});

t.test("the log of an agent's plugin is there when the agent is not", async (t) => {
  const { end, plugin, logFile } = await agentOf(t);
  writeFileSync(logFile('docker'), `old\n${HCLOG}\nlast\n`);
  await end();
  const { code, stdout } = await plugin('logs', 'docker', '-n', '2');
  t.equal(code, 0);
  t.match(stdout, /^2026-03-01 11:59:58\.123 warn {2}docker: pull is slow .*\nlast\n$/);
});
