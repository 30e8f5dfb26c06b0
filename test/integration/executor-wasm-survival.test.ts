/** Runs go on without the plugin, and are found again. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { eventually } from '../kit/eventually.ts';
import { tempDir } from '../kit/temp-dir.ts';
import {
  Bench,
  DEADLINE_MS,
  complete,
  endOf,
  holderOf,
  processes,
  stdoutOf,
  type RunWish,
} from './executor-wasm/kit.ts';

/** Starts a run in a plugin process and kills that with SIGKILL once the guest has said something. */
async function startAndKill(t: Test, bench: Bench, executionId: string, wish: RunWish) {
  const starter = fileURLToPath(new URL('./executor-wasm/starter.ts', import.meta.url));
  const args = ['--import', 'tsx', starter, bench.root, executionId, JSON.stringify(wish)];
  const plugin = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => plugin.kill('SIGKILL'));
  const run = bench.run(executionId, wish);
  await eventually('first output', () => stdoutOf(run) !== '', DEADLINE_MS);
  plugin.kill('SIGKILL');
  await eventually('the death of the plugin', () => plugin.signalCode === 'SIGKILL', DEADLINE_MS);
  return run;
}

// Starting runners from source takes a second each, and more on a busy machine.
t.setTimeout(240_000);

await t.test(
  'a run goes on when its plugin is killed, and is adopted with nothing lost',
  async (t) => {
    const bench = new Bench(t);
    const params = { Parameters: ['40', '100'] };
    const run = await startAndKill(t, bench, 'e-survivor', { module: 'ticker', params });
    const before = holderOf(run.folder);
    const desk = await bench.open();
    const seen = await desk.executor.start(run);
    t.equal(seen.phase, 'running', 'start again finds it');
    t.same(holderOf(run.folder), before, 'held by the same process');
    t.same(
      (await desk.executor.list()).map((one) => [one.key.executionId, one.phase, one.specHash]),
      [['e-survivor', 'running', 'hash-e-survivor']],
    );
    await desk.executor.supervise(run, AbortSignal.timeout(DEADLINE_MS));
    t.same((await desk.executor.observe(run)).outcome, { by: 'exit', code: 0, reason: '' });
    t.equal(
      stdoutOf(run),
      Array.from({ length: 40 }, (_, index) => `line ${index + 1}\n`).join(''),
    );
    let text = '';
    for await (const chunk of desk.executor.logs(run).read('', AbortSignal.timeout(DEADLINE_MS)))
      text += Buffer.from(chunk.data).toString('utf8');
    t.equal(text, stdoutOf(run), 'the log source gives every byte and ends');
  },
);

await t.test('a deadline is kept with no plugin alive', async (t) => {
  const bench = new Bench(t);
  const wish = { module: 'spin', deadlineAt: Date.now() + 15_000 };
  const run = await startAndKill(t, bench, 'e-orphan', wish);
  await eventually('the exit record', () => existsSync(join(run.folder, 'exit')), DEADLINE_MS);
  const desk = await bench.open();
  t.same((await endOf(desk, run)).outcome, { by: 'limit', code: 137, reason: 'deadline' });
});

await t.test('an adopted run obeys stop and a new lease', async (t) => {
  const bench = new Bench(t);
  const stopped = await startAndKill(t, bench, 'e-adopted', { module: 'spin' });
  const desk = await bench.open();
  await desk.executor.stop(stopped, { by: 'stop', reason: 'drain', signal: 'SIGTERM', graceMs: 0 });
  t.same((await endOf(desk, stopped)).outcome, { by: 'stop', code: 137, reason: 'drain' });
  const leased = bench.run('e-leased', { module: 'spin' });
  await desk.executor.prepare(leased.spec, () => undefined);
  await desk.executor.start(leased);
  await desk.executor.renew(leased, Date.now() + 300);
  t.same((await endOf(desk, leased)).outcome, { by: 'limit', code: 137, reason: 'lease' });
});

await t.test('a stopped runner is paused, and a stop order ends it all the same', async (t) => {
  const bench = new Bench(t);
  const desk = await bench.open();
  const run = bench.run('e-paused', { module: 'spin' });
  await desk.executor.prepare(run.spec, () => undefined);
  await desk.executor.start(run);
  const holder = holderOf(run.folder);
  t.ok(holder !== undefined && processes.signal(holder, 'SIGSTOP'));
  await eventually(
    'paused',
    async () => (await desk.executor.observe(run)).phase === 'paused',
    DEADLINE_MS,
  );
  await desk.executor.stop(run, { by: 'stop', reason: 'enough', signal: 'SIGTERM', graceMs: 0 });
  t.same((await endOf(desk, run)).outcome, { by: 'stop', code: 137, reason: 'enough' });
});

await t.test('two starts of one run make one guest', async (t) => {
  const bench = new Bench(t);
  const [first, second] = [await bench.open({ warm: 1 }), await bench.open({ warm: 1 })];
  const run = bench.run('e-race', { module: 'ticker', params: { Parameters: ['3', '50'] } });
  await first.executor.prepare(run.spec, () => undefined);
  const both = await Promise.all([first.executor.start(run), second.executor.start(run)]);
  t.equal(both[0].handle, both[1].handle, 'both see the same holder');
  t.same((await endOf(first, run)).outcome, { by: 'exit', code: 0, reason: '' });
  t.equal(stdoutOf(run), 'line 1\nline 2\nline 3\n');
});

await t.test('removing a live run ends its process', async (t) => {
  const bench = new Bench(t);
  const desk = await bench.open();
  const run = bench.run('e-removed', { module: 'spin' });
  await desk.executor.prepare(run.spec, () => undefined);
  await desk.executor.start(run);
  const holder = holderOf(run.folder);
  await desk.executor.remove(run.spec.key);
  t.ok(holder);
  if (holder !== undefined) t.not(processes.look(holder), 'alive');
  await desk.executor.remove({ executionId: 'e-unknown', run: 0 });
});

await t.test(
  'warm runners are used, refilled, adopted by the next plugin, and leave when alone',
  async (t) => {
    const bench = new Bench(t);
    const sockets = (): readonly string[] => readdirSync(bench.socketsDir).sort();
    const first = await bench.open({ warm: 2, idleMs: 2_000 });
    await eventually('two warm runners', () => first.pool.idle === 2, DEADLINE_MS);
    const warm = sockets();
    const run = bench.run('e-warm', { module: 'spin' });
    await first.executor.prepare(run.spec, () => undefined);
    await first.executor.start(run);
    await eventually('the refill', () => first.pool.idle === 2, DEADLINE_MS);
    t.equal(sockets().filter((name) => warm.includes(name)).length, 2, 'a warm one took the run');
    await first.executor.remove(run.spec.key);
    const left = sockets();
    const second = await bench.open({ warm: 2, idleMs: 2_000 });
    t.equal(second.pool.idle, 2, 'adopted at once');
    t.same(sockets(), left, 'no new ones');
    await first.executor.close();
    await second.executor.close();
    await eventually('their end', () => sockets().length === 0, DEADLINE_MS);
  },
);

await t.test('no path leads out of a mount', async (t) => {
  const bench = new Bench(t);
  const desk = await bench.open({ warm: 2 });
  const inputs = tempDir(t);
  mkdirSync(join(inputs, 'deep'));
  writeFileSync(join(inputs, 'deep/file'), 'inside ');
  symlinkSync('/etc', join(inputs, 'folder'));
  symlinkSync('/etc/passwd', join(inputs, 'link'));
  const outputs = tempDir(t);
  const mounts = [
    { source: inputs, target: '/input', readOnly: true },
    { source: outputs, target: '/output', readOnly: false },
  ];
  const tries: readonly (readonly [string, string, string])[] = [
    ['read', '/input/deep/file', 'inside ok'],
    ['read', '/input/deep/../deep/./file', 'inside ok'],
    ['read', '/input/folder/passwd', 'Not a directory'],
    ['read', '/input/link', 'Symbolic link loop'],
    ['stat', '/input/link', 'Symbolic link loop'],
    ['read', '/input/../../etc/passwd', 'Capabilities insufficient'],
    ['read', '/etc/passwd', 'No such file or directory'],
    ['write', '/input/deep/file', 'Read-only file system'],
    ['unlink', '/input/deep/file', 'Read-only file system'],
    ['write', '/anywhere', 'Read-only file system'],
    ['symlink', '/output/link', 'Not supported'],
    ['write', '/output/file', 'ok'],
  ];
  for (const [index, [verb, path, answer]] of tries.entries()) {
    const params = { Parameters: [verb, path] };
    const run = bench.run(`e-probe-${index}`, { module: 'probe', params, mounts });
    await complete(desk, run);
    t.equal(stdoutOf(run).trim(), answer, `${verb} ${path}`);
  }
});
