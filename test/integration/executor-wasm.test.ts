/** Verdicts of wasm runs, each in a real runner process. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Progress } from '../../plugins/sdk/index.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { eventually } from '../kit/eventually.ts';
import {
  Bench,
  DEADLINE_MS,
  complete,
  endOf,
  holderOf,
  processes,
  stderrOf,
  stdoutOf,
} from './executor-wasm/kit.ts';

// Starting runners from source takes a second each, and more on a busy machine.
t.setTimeout(240_000);

const bench = new Bench(t);
const desk = await bench.open({ warm: 1, maxOutputBytes: 65_536 });
const MIB = 2 ** 20;

await t.test('a command gets its arguments and exits 0', async (t) => {
  const run = bench.run('e-hello', { module: 'hello', params: { Parameters: ['big', 'world'] } });
  t.same(await complete(desk, run), { by: 'exit', code: 0, reason: '' });
  t.equal(stdoutOf(run), 'hello big world\n');
});

await t.test('an exit code is the outcome', async (t) => {
  const run = bench.run('e-exit3', { module: 'exit3' });
  t.same(await complete(desk, run), { by: 'exit', code: 3, reason: '' });
});

await t.test('a trap is told with its kind', async (t) => {
  const run = bench.run('e-trap', { module: 'trap' });
  t.same(await complete(desk, run), { by: 'trap', reason: 'unreachable' });
});

await t.test('a guest that fails at its memory cap has hit its limit', async (t) => {
  const run = bench.run('e-hog', { module: 'grow-hog', memoryBytes: 16 * MIB });
  t.same(await complete(desk, run), { by: 'limit', code: 9, reason: 'memory' });
});

await t.test('unread output is bounded', async (t) => {
  const run = bench.run('e-flood', { module: 'flood' });
  t.same(await complete(desk, run), { by: 'limit', reason: 'output' });
  t.equal(Buffer.byteLength(stdoutOf(run)), 65_536);
});

await t.test('pointers outside the memory are answered with EFAULT', async (t) => {
  const run = bench.run('e-pointers', { module: 'bad-pointers' });
  t.same(await complete(desk, run), { by: 'exit', code: 0, reason: '' });
});

await t.test('environment and stdin reach the guest, and nothing of ours does', async (t) => {
  const folder = tempDir(t);
  writeFileSync(join(folder, 'text'), 'from a file');
  const run = bench.run('e-env', {
    module: 'cat-env',
    env: { A: '1', B: '2' },
    params: { EnvironmentVariables: ['B=3', 'C=x=y'], Stdin: '/input/text' },
    mounts: [{ source: folder, target: '/input', readOnly: true }],
  });
  t.same(await complete(desk, run), { by: 'exit', code: 0, reason: '' });
  t.equal(stdoutOf(run), 'A=1\nB=3\nC=x=y\n');
  t.equal(stderrOf(run), 'from a file');
});

await t.test('a deadline ends a tight loop', async (t) => {
  const run = bench.run('e-deadline', { module: 'spin', deadlineAt: Date.now() + 1500 });
  t.same(await complete(desk, run), { by: 'limit', code: 137, reason: 'deadline' });
});

await t.test('a stop order ends a tight loop', async (t) => {
  const run = bench.run('e-stop', { module: 'spin' });
  const told: Progress[] = [];
  await desk.executor.prepare(run.spec, (now) => told.push(now));
  const { currentBytes = 0, ...module } = told.at(-1) ?? { message: '' };
  t.ok(currentBytes > 0);
  t.strictSame(module, {
    ...{ message: 'module read', kind: 'module', item: run.spec.params.EntryModule },
    totalBytes: currentBytes,
  });
  const seen = await desk.executor.start(run);
  t.equal(seen.phase, 'running');
  await eventually('the loop', () => stdoutOf(run) === 'spinning\n', DEADLINE_MS);
  const reason = 'stopped by its owner';
  await desk.executor.stop(run, { by: 'stop', reason, signal: 'SIGTERM', graceMs: 0 });
  t.same((await endOf(desk, run)).outcome, { by: 'stop', code: 137, reason });
});

await t.test('a runner that is killed from outside is a signal', async (t) => {
  const run = bench.run('e-killed', { module: 'spin' });
  await desk.executor.prepare(run.spec, () => undefined);
  await desk.executor.start(run);
  const holder = holderOf(run.folder);
  t.ok(holder !== undefined && processes.signal(holder, 'SIGKILL'));
  t.equal((await endOf(desk, run)).outcome?.by, 'signal');
  t.equal((await desk.executor.start(run)).phase, 'exited', 'and is not started again');
});

await t.test('the Extism form writes the output of an export to stdout', async (t) => {
  const run = bench.run('e-greet', {
    module: 'greet',
    params: { Function: 'greet', Input: 'limpet' },
  });
  t.same(await complete(desk, run), { by: 'exit', code: 0, reason: '' });
  t.equal(stdoutOf(run), 'Hello, limpet!');
});

await t.test('an Extism error is exit 1 with its text, kernel memory is bounded', async (t) => {
  const failed = bench.run('e-fail', { module: 'greet', params: { Function: 'fail', Input: '' } });
  t.same(await complete(desk, failed), { by: 'exit', code: 1, reason: 'no such greeting' });
  const hog = bench.run('e-kernel', { module: 'greet', params: { Function: 'hog', Input: '' } });
  t.same(await complete(desk, hog), { by: 'limit', reason: 'memory' });
});

await t.test('words are counted as wc counts them, in a large file with any bytes', async (t) => {
  const folder = tempDir(t);
  const words = Buffer.from('one two\tthree\v\ffour\r\nfive  \u00fc six \u0001 seven-eight\n');
  const noise = Buffer.from(
    Array.from({ length: 70_001 }, (_, index) => (index * 31 + (index >> 3)) % 256),
  );
  const data = Buffer.concat([noise, ...Array.from({ length: 60_000 }, () => words)]);
  writeFileSync(join(folder, 'text'), data);
  const wc = execFileSync('wc', ['-w', join(folder, 'text')], { env: { LC_ALL: 'C' } });
  const run = bench.run('e-words', {
    module: 'wordcount',
    params: { Parameters: ['/input/text'] },
    mounts: [{ source: folder, target: '/input', readOnly: true }],
  });
  t.same(await complete(desk, run), { by: 'exit', code: 0, reason: '' });
  t.equal(Number(stdoutOf(run)), Number.parseInt(wc.toString('utf8'), 10));
});

await t.test('results are written to a mounted folder, within the quota', async (t) => {
  const folder = tempDir(t);
  const mounts = [{ source: folder, target: '/output', readOnly: false }];
  const small = { module: 'write-output', params: { Parameters: ['/output', '100000'] }, mounts };
  const run = bench.run('e-output', small);
  t.same(await complete(desk, run), { by: 'exit', code: 0, reason: '' });
  t.equal(stdoutOf(run), 'size 100002\nentry data\n');
  t.equal(readFileSync(join(folder, 'made/data')).byteLength, 100_002);
  const other = tempDir(t);
  const full = bench.run('e-quota', {
    ...small,
    mounts: [{ source: other, target: '/output', readOnly: false }],
    diskBytes: 50_000,
  });
  t.same(await complete(desk, full), { by: 'exit', code: 1, reason: '' });
  t.match(stderrOf(full), 'No space left on device');
});

await t.test('a module that cannot run is refused before anything starts', async (t) => {
  const run = bench.run('e-big', { module: 'big-start' });
  await t.rejects(
    desk.executor.prepare(run.spec, () => undefined),
    {
      code: 'refused',
      message: /asks for 536870912 bytes of memory at its start, its limit is 67108864/,
    },
  );
  const missing = bench.run('e-missing', {
    module: 'hello',
    params: { EntryModule: '/none.wasm' },
  });
  await t.rejects(
    desk.executor.prepare(missing.spec, () => undefined),
    { code: 'refused' },
  );
  const linked = bench.run('e-linked', { module: 'hello', params: { ImportModules: ['x'] } });
  await t.rejects(
    desk.executor.prepare(linked.spec, () => undefined),
    /ImportModules is not supported/,
  );
});

await t.test('a run that ended is not started again', async (t) => {
  const run = bench.run('e-twice', { module: 'hello' });
  await complete(desk, run);
  const again = await desk.executor.start(run);
  t.equal(again.phase, 'exited');
  t.equal(stdoutOf(run), 'hello\n');
});
