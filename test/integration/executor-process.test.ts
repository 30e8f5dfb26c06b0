import t, { type Test } from 'tap';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import { Phase } from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { eventually } from '../kit/eventually.ts';
import { drivePlugin, type PluginDriver, type TestRunKey } from '../kit/plugin-driver.ts';

const PROGRAM = 'executors/process/main.ts';
t.setTimeout(120_000);

const sh = (script: string) => ({ Command: ['sh', '-c', script] });

const driver = (t: Test, config: unknown = {}, env: Record<string, string> = {}) =>
  drivePlugin(t, { program: PROGRAM, config, env });

/** One plugin for all tests that do not kill it. */
const shared = await driver(t);

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'it did not fail',
    (thrown: unknown) => LimpetError.from(thrown),
  );

/** The pids in a run folder: holder and command. */
function pids(plugin: PluginDriver, key: TestRunKey) {
  const first = (file: string) =>
    Number(readFileSync(join(plugin.runFolder(key), file), 'utf8').split(' ')[0]);
  return eventually('the command to be started', () => ({
    holder: first('claim'),
    command: first('child'),
  }));
}

const isAlive = (pid: number) => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

t.test('a command that ends is reported with its code, its output whole', async (t) => {
  const plugin = shared;
  const ok = { executionId: 'e-ok' };
  const { state, alreadyRunning } = await plugin.start({
    ...ok,
    params: sh('echo out; echo err >&2; echo "$GREETING from $(pwd)"'),
    env: { GREETING: 'hello' },
  });
  t.match(state, { marked: true, sameBoot: true, ours: true, specHash: 'hash-1' });
  t.equal(alreadyRunning, false);
  const ended = await plugin.wait(ok);
  t.match(ended, { phase: Phase.EXITED, outcome: { by: 'exit', code: 0 } });
  t.ok(ended.finishedAtMs >= ended.startedAtMs, 'it ends after it begins');
  const log = await plugin.logs(ok);
  t.equal(log.stdout, `out\nhello from ${plugin.runFolder(ok)}/work\n`);
  t.equal(log.stderr, 'err\n');
  t.equal(log.end, true);
  t.equal(ended.logOffset, BigInt(log.text.length), 'the state names the end of the log');

  const seven = { executionId: 'e-seven' };
  await plugin.start({ ...seven, params: sh('exit 7') });
  t.match(await plugin.wait(seven), { phase: Phase.EXITED, outcome: { by: 'exit', code: 7 } });
  const killed = { executionId: 'e-killed' };
  await plugin.start({ ...killed, params: sh('kill -9 $$') });
  t.match(await plugin.wait(killed), { outcome: { by: 'signal', code: 137, reason: 'signal 9' } });
});

t.test('a run outlives kill -9 of the plugin: same process, no line lost or doubled', async (t) => {
  const plugin = await driver(t);
  const run = { executionId: 'e-survivor' };
  const script =
    'i=0; until [ -e enough ]; do i=$((i+1)); echo line $i; echo err $i >&2; sleep 0.05; done; exit 9';
  await plugin.start({ ...run, params: sh(script) });
  await eventually('some lines', async () => /line 5\n/.test((await plugin.logs(run)).stdout));
  const before = await pids(plugin, run);
  await plugin.kill9();
  t.ok(isAlive(before.holder) && isAlive(before.command), 'holder and command live on');
  await plugin.respawn();
  t.match(
    (await plugin.list()).map((one) => [one.key?.executionId, one.phase]),
    [['e-survivor', Phase.RUNNING]],
  );
  t.match(await plugin.recover(run), {
    phase: Phase.RUNNING,
    facts: { pid: String(before.holder) },
  });
  t.same(await pids(plugin, run), before, 'nothing was started again');
  const seen = (await plugin.logs(run)).stdout.length;
  await eventually('more lines', async () => (await plugin.logs(run)).stdout.length > seen);
  writeFileSync(join(plugin.runFolder(run), 'work', 'enough'), '');
  t.match(await plugin.wait(run), { phase: Phase.EXITED, outcome: { by: 'exit', code: 9 } });
  const log = await plugin.logs(run, { follow: true });
  const count = log.stdout.split('\n').length - 1;
  const expected = (word: string) =>
    Array.from({ length: count }, (_, i) => `${word} ${i + 1}\n`).join('');
  t.ok(count > 10, `${count} lines`);
  t.equal(log.stdout, expected('line'));
  t.equal(log.stderr, expected('err'));
});

t.test('a run that ends while no plugin lives keeps its code and its log', async (t) => {
  const plugin = await driver(t);
  const run = { executionId: 'e-alone' };
  await plugin.start({ ...run, params: sh('echo one; sleep 0.5; echo two; exit 5') });
  const { holder } = await pids(plugin, run);
  await plugin.kill9();
  await eventually('the holder to end', () => !isAlive(holder));
  await plugin.respawn();
  t.match(await plugin.recover(run), { phase: Phase.EXITED, outcome: { by: 'exit', code: 5 } });
  t.equal((await plugin.logs(run)).stdout, 'one\ntwo\n');
});

t.test('start is idempotent, another spec for the same run is refused', async (t) => {
  const plugin = shared;
  const run = { executionId: 'e-twice', params: sh('echo once; sleep 30') };
  await plugin.start(run);
  const again = await plugin.start(run);
  t.equal(again.alreadyRunning, true);
  t.equal(again.state.phase, Phase.RUNNING);
  t.match(await failure(plugin.start({ ...run, specHash: 'hash-2' })), { code: 'already-exists' });
  await eventually('its line', async () => (await plugin.logs(run)).stdout !== '');
  await plugin.stop(run, 0);
  t.match(await plugin.wait(run), { outcome: { by: 'stop', reason: 'stopped by the test' } });
  const ended = await plugin.start(run);
  t.match(ended, {
    alreadyRunning: false,
    state: { phase: Phase.EXITED, outcome: { by: 'stop' } },
  });
  t.equal((await plugin.logs(run)).stdout, 'once\n', 'it ran once');
});

t.test('a command that ignores TERM is killed with its children after the grace', async (t) => {
  const plugin = shared;
  const run = { executionId: 'e-stubborn' };
  await plugin.start({ ...run, params: sh('trap "" TERM; sleep 300 & echo $!; wait; sleep 300') });
  const line = await eventually('the child', async () => (await plugin.logs(run)).stdout);
  await plugin.stop(run, 1000, 'lease');
  const ended = await plugin.wait(run);
  t.match(ended, { outcome: { by: 'stop', code: 137, reason: 'lease' } });
  t.notOk(isAlive(Number(line)), 'no child is left');
});

t.test('a deadline is kept with neither plugin nor agent alive', async (t) => {
  const plugin = await driver(t);
  const run = { executionId: 'e-deadline' };
  const deadlineAt = Date.now() + 2000;
  await plugin.start({ ...run, params: sh('echo up; sleep 300'), deadlineAt, stopGraceMs: 1000 });
  const { holder, command } = await pids(plugin, run);
  await plugin.kill9();
  await eventually('the command to end', () => !isAlive(command) && !isAlive(holder), 15_000);
  t.ok(Date.now() >= deadlineAt, 'not before its time');
  await plugin.respawn();
  t.match(await plugin.recover(run), {
    phase: Phase.EXITED,
    outcome: { by: 'limit', code: 143, reason: 'deadline' },
  });
});

t.test('a dead holder makes the run absent but marked, and nothing of it goes on', async (t) => {
  const plugin = shared;
  const run = { executionId: 'e-headless' };
  await plugin.start({ ...run, params: sh('echo up; sleep 300') });
  const { holder, command } = await pids(plugin, run);
  process.kill(holder, 'SIGKILL');
  await eventually('the command to end', () => !isAlive(command));
  const state = await plugin.wait(run);
  t.match(state, { phase: Phase.ABSENT, marked: true, sameBoot: true });
  const again = await plugin.start({ ...run, params: sh('echo up; sleep 300') });
  t.match(again, { alreadyRunning: false, state: { phase: Phase.ABSENT, marked: true } });
});

t.test('a claim of another boot is absent, marked and not of this boot', async (t) => {
  const plugin = shared;
  const run = { executionId: 'e-reboot', params: sh('true') };
  await plugin.start(run);
  await plugin.wait(run);
  const folder = plugin.runFolder(run);
  execFileSync('sh', ['-c', 'echo "1 1 another-boot" > claim; rm exit'], { cwd: folder });
  t.match(await plugin.status(run), { phase: Phase.ABSENT, marked: true, sameBoot: false });
});

t.test('a stopped holder is paused and goes on', async (t) => {
  const plugin = shared;
  const run = { executionId: 'e-paused', params: sh('sleep 300') };
  await plugin.start(run);
  const { holder } = await pids(plugin, run);
  const phase = (wanted: Phase) =>
    eventually('the phase', async () => (await plugin.status(run)).phase === wanted);
  process.kill(holder, 'SIGSTOP');
  await phase(Phase.PAUSED);
  process.kill(holder, 'SIGCONT');
  t.ok(await phase(Phase.RUNNING), 'it goes on');
  await plugin.remove(run);
});

t.test('remove ends and deletes everything, twice is fine, the log stays until told', async (t) => {
  const plugin = shared;
  const run = { executionId: 'e-removed' };
  await plugin.start({ ...run, params: sh('echo up; sleep 300') });
  await eventually('its line', async () => (await plugin.logs(run)).stdout === 'up\n');
  const { holder, command } = await pids(plugin, run);
  await plugin.remove(run);
  t.notOk(isAlive(holder) || isAlive(command), 'its processes are gone');
  t.match(await failure(plugin.status(run)), { code: 'not-found' });
  t.match(await failure(plugin.recover(run)), { code: 'not-found' });
  t.match(await plugin.logs(run, { follow: true }), { stdout: 'up\n', end: true });
  await plugin.remove(run, true);
  t.equal((await plugin.logs(run)).text, '');
  await plugin.remove({ executionId: 'e-never-there' });
  t.notOk((await plugin.list()).some((one) => one.key?.executionId === 'e-removed'));
});

t.test('mounts are links in the work folder, results are files behind them', async (t) => {
  const plugin = shared;
  const folder = t.testdir({ in: { 'words.txt': 'a b c\n' }, out: {} });
  const source = join(folder, 'in');
  const target = join(folder, 'out');
  const run = { executionId: 'e-mounts' };
  const mounts = [
    { source, target: '/input', readOnly: true },
    { source: target, target: '/results/out', readOnly: false },
  ];
  await plugin.start({ ...run, params: sh('wc -w < input/words.txt > results/out/count'), mounts });
  t.match(await plugin.wait(run), { outcome: { by: 'exit', code: 0 } });
  t.equal(readFileSync(join(target, 'count'), 'utf8').trim(), '3');
  const inside = { executionId: 'e-inside' };
  const params = { Command: ['cat', 'words.txt'], WorkingDirectory: '/input' };
  await plugin.start({ ...inside, params, mounts });
  await plugin.wait(inside);
  t.equal((await plugin.logs(inside)).stdout, 'a b c\n');
});

t.test('the environment is what the operator allows and the job asks for', async (t) => {
  const config = { envAllow: ['AWS_.*'] };
  const plugin = await driver(t, config, { AWS_REGION: 'x', MY_AWS_KEY: 'secret', OTHER: 'o' });
  const run = { executionId: 'e-env' };
  await plugin.start({
    ...run,
    params: { Command: ['env'], EnvironmentVariables: ['A=task', 'C=1=2'] },
    env: { A: 'job', B: 'job' },
  });
  await plugin.wait(run);
  const lines = (await plugin.logs(run)).stdout.split('\n');
  for (const line of ['AWS_REGION=x', 'A=task', 'B=job', 'C=1=2']) t.ok(lines.includes(line), line);
  for (const name of ['MY_AWS_KEY', 'OTHER', 'LIMPET_PLUGIN', 'LIMPET_PLUGIN_INSTANCE'])
    t.notOk(
      lines.some((line) => line.startsWith(`${name}=`)),
      `${name} is kept from it`,
    );
});

t.test('what cannot run is refused with the reason', async (t) => {
  const plugin = shared;
  let count = 0;
  const start = (params: unknown) =>
    failure(plugin.start({ executionId: `e-bad-${count++}`, params }));
  t.match(await start({ Command: ['no-such-program'] }), {
    code: 'refused',
    message: /'no-such-program' is not a program on this node/,
  });
  t.match(await start({ Command: 'ls' }), { code: 'refused', message: /Command/ });
  t.match(await start({ Command: ['ls'], Typo: 1 }), { code: 'refused', message: /Typo/ });
  const elsewhere = {
    executionId: 'e-elsewhere',
    params: { ...sh('pwd'), WorkingDirectory: 'no' },
  };
  t.match(await failure(plugin.start(elsewhere)), { code: 'refused', message: /WorkingDirectory/ });
  t.match(await failure(plugin.stop({ executionId: 'e-unknown' })), { code: 'not-found' });
});

t.test('a signal that the command handles is its own matter', async (t) => {
  const plugin = shared;
  const run = { executionId: 'e-polite' };
  const trap = 'trap "echo bye; exit 3" INT TERM; echo up; while :; do sleep 0.1; done';
  await plugin.start({ ...run, params: sh(trap) });
  await eventually('its line', async () => (await plugin.logs(run)).stdout === 'up\n');
  await plugin.calls.stop({ key: { ...run, run: 0 }, signal: 'INT', graceMs: 5000, reason: 'x' });
  t.match(await plugin.wait(run), { outcome: { by: 'stop', code: 3, reason: 'x' } });
  t.equal((await plugin.logs(run)).stdout, 'up\nbye\n');
});

const isRoot = process.getuid?.() === 0;
t.test(
  'a command runs as the user that the operator names',
  {
    skip: isRoot ? false : 'only root can run commands as another user',
  },
  async (t) => {
    const plugin = await driver(t, { user: 'nobody' });
    const results = t.testdir({});
    const run = { executionId: 'e-user' };
    await plugin.start({
      ...run,
      params: sh('id -un; echo mine > file; echo forged > ../exit; true'),
      mounts: [{ source: results, target: '/results', readOnly: false }],
    });
    t.match(await plugin.wait(run), { outcome: { by: 'exit', code: 0 } });
    t.equal((await plugin.logs(run)).stdout, 'nobody\n');
    t.equal(readFileSync(join(plugin.runFolder(run), 'work', 'file'), 'utf8'), 'mine\n');
  },
);

t.test('a memory limit bounds the address space where the operator asks for it', async (t) => {
  const memoryBytes = 64 * 1024 * 1024;
  const asked = { executionId: 'e-memory', memoryBytes };
  const strict = await driver(t, { limitAddressSpace: true });
  for (const plugin of [strict, shared]) {
    await plugin.start({ ...asked, params: sh('ulimit -v') });
    await plugin.wait(asked);
  }
  t.equal((await strict.logs(asked)).stdout, '65536\n');
  t.equal((await shared.logs(asked)).stdout, 'unlimited\n');
});
