/** Runs of the process executor go on without the plugin, and are found again; what becomes of them without their holder. */
import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Phase } from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { eventually } from '../kit/eventually.ts';
import { drivePlugin } from '../kit/plugin-driver.ts';
import { isAlive, pids, processPlugin, sh } from './executor-process/plugin.ts';

t.setTimeout(120_000);

/** One plugin for all tests that do not kill it. */
const shared = await processPlugin(t);

t.test('a run outlives kill -9 of the plugin: same process, no line lost or doubled', async (t) => {
  const plugin = await processPlugin(t);
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
  t.ok(count > 5, `${count} lines`);
  t.equal(log.stdout, expected('line'));
  t.equal(log.stderr, expected('err'));
});

t.test('a run that ends while no plugin lives keeps its code and its log', async (t) => {
  const plugin = await processPlugin(t);
  const run = { executionId: 'e-alone' };
  await plugin.start({ ...run, params: sh('echo one; sleep 0.5; echo two; exit 5') });
  const { holder } = await pids(plugin, run);
  await plugin.kill9();
  await eventually('the holder to end', () => !isAlive(holder));
  await plugin.respawn();
  t.match(await plugin.recover(run), { phase: Phase.EXITED, outcome: { by: 'exit', code: 5 } });
  t.equal((await plugin.logs(run)).stdout, 'one\ntwo\n');
});

t.test('a deadline is kept with neither plugin nor agent alive', async (t) => {
  const plugin = await processPlugin(t);
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

t.test('a run goes on while its folder is deleted, one file after the other', async (t) => {
  const plugin = await processPlugin(t);
  const run = { executionId: 'e-deleted' };
  await plugin.start({
    ...run,
    params: sh("trap 'echo asked; exit 9' TERM; echo up; sleep 300 & wait"),
  });
  await eventually('its output', async () => (await plugin.logs(run)).stdout === 'up\n');
  const before = await pids(plugin, run);
  for (const name of ['claim', 'stdout', 'run.json', 'child']) {
    rmSync(join(plugin.runFolder(run), name));
    t.match(await plugin.status(run), { phase: Phase.RUNNING }, `without ${name}`);
  }
  rmSync(plugin.runFolder(run), { recursive: true });
  t.match(await plugin.status(run), { phase: Phase.RUNNING });
  t.ok(isAlive(before.holder) && isAlive(before.command));
  await plugin.stop(run, 20_000);
  t.match(await plugin.wait(run), { phase: Phase.EXITED, outcome: { by: 'stop', code: 9 } });
  t.equal((await plugin.logs(run)).stdout, 'up\nasked\n');
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

t.test('a run of the same name in another folder, such as a copy, is none of ours', async (t) => {
  const plugin = await processPlugin(t);
  const copy = await processPlugin(t);
  const run = { executionId: 'e-copied' };
  for (const each of [plugin, copy]) await each.start({ ...run, params: sh('echo up; sleep 300') });
  const [own, other] = [await pids(plugin, run), await pids(copy, run)];
  process.kill(own.holder, 'SIGKILL');
  t.match(await plugin.wait(run), { phase: Phase.ABSENT, marked: true });
  t.notOk(isAlive(own.command));
  await plugin.remove(run);
  t.ok(isAlive(other.holder) && isAlive(other.command), 'the other goes on');
  await copy.remove(run);
  await eventually('its end', () => !isAlive(other.holder) && !isAlive(other.command));
});

t.test('work that is left when its folder was moved is ended all the same', async (t) => {
  const plugin = await processPlugin(t);
  const run = { executionId: 'e-moved' };
  await plugin.start({ ...run, params: sh('echo up; sleep 300') });
  const { holder, command } = await pids(plugin, run);
  await plugin.kill9();
  const children = readFileSync(`/proc/${holder}/task/${holder}/children`, 'utf8').trim();
  // The watcher first, which would end the command.
  for (const pid of [...children.split(' ').map(Number), holder])
    if (pid !== command) process.kill(pid, 'SIGKILL');
  const moved = `${plugin.folder}-moved`;
  renameSync(plugin.folder, moved);
  t.teardown(() => rmSync(moved, { recursive: true }));
  t.ok(isAlive(command));
  const after = await drivePlugin(t, { program: 'dist/executor-process.js', folder: moved });
  await after.recover(run);
  t.match(await after.wait(run), { phase: Phase.ABSENT, marked: true });
  t.notOk(isAlive(command));
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
