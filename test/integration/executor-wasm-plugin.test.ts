/** The wasm executor as the agent runs it: a plugin process over its wire. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LimpetError } from '../../core/errors.ts';
import { Phase } from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { eventually } from '../kit/eventually.ts';
import { drivePlugin } from '../kit/plugin-driver.ts';
import { programDir } from '../kit/program-dir.ts';
import { fixture } from './executor-wasm/kit.ts';

// Starting runners from source takes a second each, and more on a busy machine.
t.setTimeout(240_000);

const plugin = await drivePlugin(t, { program: 'dist/executor-wasm.js', config: { warm: 1 } });

const wish = (executionId: string, module: string, ...Parameters: readonly string[]) => ({
  executionId,
  params: { EntryModule: '/app/main.wasm', Parameters },
  mounts: [{ source: fixture(module), target: '/app/main.wasm', readOnly: true }],
});

await t.test('a run is prepared, started and reported with its output', async (t) => {
  const run = wish('e-hello', 'hello', 'plugin');
  const digest = await plugin.prepare(run);
  t.match(digest, /^sha256:[0-9a-f]{64}$/);
  const { alreadyRunning } = await plugin.start({ ...run, digest });
  t.equal(alreadyRunning, false);
  t.match(await plugin.wait(run), { phase: Phase.EXITED, outcome: { by: 'exit', code: 0 } });
  t.match(await plugin.logs(run), { stdout: 'hello plugin\n', end: true });
  await plugin.remove(run);
  t.same(await plugin.list(), []);
});

await t.test(
  'what is prepared once can be started again and again, whatever is left of it',
  async (t) => {
    t.equal((await plugin.calls.info({})).capabilities?.preparesOnce, true);
    const digest = await plugin.prepare(wish('e-first', 'hello', 'once'));
    rmSync(join(plugin.folder, 'state/modules'), { recursive: true });
    const run = wish('e-second', 'hello', 'once');
    await plugin.start({ ...run, digest });
    t.match(await plugin.wait(run), { phase: Phase.EXITED, outcome: { by: 'exit', code: 0 } });
    await plugin.remove(run);
    rmSync(join(plugin.folder, 'state/modules'), { recursive: true });
    const other = wish('e-other', 'exit3');
    await t.rejects(plugin.start({ ...other, digest }), /has changed since it was prepared/);
    await plugin.remove(other);
  },
);

await t.test('a module over its cap is refused by prepare', async (t) => {
  const run = { ...wish('e-big', 'big-start'), memoryBytes: 64 * 2 ** 20 };
  const thrown = await plugin.prepare(run).then(
    () => undefined,
    (error: unknown) => LimpetError.from(error),
  );
  t.match(thrown, { code: 'refused', message: /asks for 536870912 bytes of memory/ });
});

await t.test('a log has exactly the bytes that were printed', async (t) => {
  const binary = Buffer.from(Array.from({ length: 64_000 }, (_, at) => at & 255));
  const long = Buffer.alloc(100_000, `${'x'.repeat(80_000)}\n`);
  const printed = Buffer.concat([binary, long, Buffer.from('\nno newline at the end')]);
  const file = join(programDir(t), 'printed');
  writeFileSync(file, printed);
  // It copies stdin to stderr, a byte at a time.
  const run = wish('e-bytes', 'cat-env');
  const mounts = [...run.mounts, { source: file, target: '/input/printed', readOnly: true }];
  const order = { ...run, mounts, params: { ...run.params, Stdin: '/input/printed' } };
  await plugin.start({ ...order, digest: await plugin.prepare(order) });
  t.match(await plugin.wait(run), { phase: Phase.EXITED, outcome: { by: 'exit', code: 0 } });
  const { stderr, end } = await plugin.logs(run);
  t.ok(Buffer.from(stderr, 'latin1').equals(printed));
  t.equal(end, true);
});

await t.test('kill -9 of the plugin: same runner, no line lost or doubled', async (t) => {
  const run = wish('e-ticker', 'ticker', '60', '100');
  const digest = await plugin.prepare(run);
  await plugin.start({ ...run, digest });
  await eventually(
    'some lines',
    async () => /line 5\n/.test((await plugin.logs(run)).stdout),
    30_000,
  );
  const claim = (): string => readFileSync(join(plugin.runFolder(run), 'claim'), 'utf8');
  const before = claim();
  await plugin.kill9();
  await plugin.respawn();
  t.equal((await plugin.recover(run)).phase, Phase.RUNNING);
  t.equal(claim(), before);
  t.match(await plugin.wait(run, 60_000), {
    phase: Phase.EXITED,
    outcome: { by: 'exit', code: 0 },
  });
  const expected = Array.from({ length: 60 }, (_, index) => `line ${index + 1}\n`).join('');
  t.match(await plugin.logs(run), { stdout: expected, end: true });
});

await t.test('a stop order over the wire ends a tight loop', async (t) => {
  const run = wish('e-spin', 'spin');
  await plugin.start({ ...run, digest: await plugin.prepare(run) });
  await plugin.stop(run, 0, 'cancelled');
  const outcome = { by: 'stop', code: 137, reason: 'cancelled' };
  t.match(await plugin.wait(run), { phase: Phase.EXITED, outcome });
});
