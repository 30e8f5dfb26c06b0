/** Verdicts of the process executor: each run in a real plugin, held by a real shell. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LimpetError } from '../../core/errors.ts';
import { Phase } from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { eventually } from '../kit/eventually.ts';
import { isAlive, pids, processPlugin, sh } from './executor-process/plugin.ts';

t.setTimeout(120_000);

/** One plugin for all tests that do not kill it. */
const shared = await processPlugin(t);

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'it did not fail',
    (thrown: unknown) => LimpetError.from(thrown),
  );

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
  // It was killed in the same moment; the system takes it away when it gets to it.
  await eventually('no child to be left', () => !isAlive(Number(line)), 5_000);
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
  const plugin = await processPlugin(t, config, {
    AWS_REGION: 'x',
    MY_AWS_KEY: 'secret',
    OTHER: 'o',
  });
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
    const plugin = await processPlugin(t, { user: 'nobody' });
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
  const strict = await processPlugin(t, { limitAddressSpace: true });
  for (const plugin of [strict, shared]) {
    await plugin.start({ ...asked, params: sh('ulimit -v') });
    await plugin.wait(asked);
  }
  t.equal((await strict.logs(asked)).stdout, '65536\n');
  t.equal((await shared.logs(asked)).stdout, 'unlimited\n');
});
