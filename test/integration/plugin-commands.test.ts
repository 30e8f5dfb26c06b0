/** What an operator sees of plugins: the commands over a real socket, as an agent serves it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LimpetError } from '../../core/errors.ts';
import { agentOf, docker, flaky } from './plugin-commands-kit.ts';

t.setTimeout(120_000);

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
