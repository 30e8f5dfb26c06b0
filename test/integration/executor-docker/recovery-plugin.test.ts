import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { testEngine } from '../../kit/engine.ts';
import { eventually } from '../../kit/eventually.ts';
import { startProgram, type Program } from '../../kit/program.ts';
import type { Teardown } from '../../kit/teardown.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { ended, newNode, newRun, openPlugin, readFrom, textOf, type Line } from './node.ts';
import type { PluginOrder } from './plugin-process.ts';
import { cleanUp, rawEngine } from './raw-engine.ts';

const script = fileURLToPath(new URL('plugin-process.ts', import.meta.url));

function startPlugin(t: Teardown, order: PluginOrder): Promise<Program> {
  const args = ['--import=tsx', script, JSON.stringify(order)];
  return startProgram(t, process.execPath, { args, env: { DOCKER_HOST: 'tcp://127.0.0.1:1' } });
}

/** What the killed plugin had stored; a torn last line does not count. */
function stored(output: string): Line[] {
  if (!existsSync(output)) return [];
  const lines = readFileSync(output, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

function numbered(prefix: string, count: number): string {
  return Array.from({ length: count }, (_, i) => `${prefix} ${i}\n`).join('');
}

const LINES = 20_000;
const COUNT = `i=0
while [ $i -lt ${LINES} ]; do
  echo "line $i"
  [ $((i%100)) = 0 ] && { echo "err $((i/100))" >&2; sleep 0.01; }
  i=$((i+1))
done`;

t.setTimeout(120_000);

const engine = await testEngine(t);

void t.test('after the plugin was killed', { skip: engine.skip }, async (t) => {
  const node = newNode(tempDir(t));
  cleanUp(t, rawEngine(engine.host), node);

  await t.test('the run is the same and its log is whole, over rotations', async (t) => {
    const config = { logSize: '200k', logFiles: 4 };
    const run = newRun(node, COUNT);
    const output = join(tempDir(t), 'log');
    const child = await startPlugin(t, { node, host: engine.host, config, run, output });
    const started = await child.waitFor(/started (\w+)/, 20_000);
    const written = () => textOf(stored(output), 'stdout').length;
    await eventually('a quarter of the log', () => written() > 50_000, 20_000);
    await child.kill('SIGKILL');
    const before = stored(output);
    t.ok(written() < numbered('line', LINES).length, 'killed in the middle of it');

    const plugin = await openPlugin(node, engine.host, { config });
    t.teardown(() => plugin.close?.());
    const listed = await plugin.list();
    t.match(listed, [{ key: run.spec.key, phase: 'running', marked: true, ours: true }]);
    const again = await plugin.start(run);
    t.equal(again.facts?.['containerId'], started[1], 'the same container');
    const end = ended(plugin, run);
    const all = [...before, ...(await readFrom(plugin, run, before.at(-1)?.cursor ?? ''))];
    t.equal(textOf(all, 'stdout'), numbered('line', LINES), 'no line lost or doubled');
    t.equal(textOf(all, 'stderr'), numbered('err', LINES / 100));
    t.equal(textOf(all, 'gap'), '');
    t.match(await end, { outcome: { by: 'exit' } });
  });

  await t.test('the next one keeps the deadline', async (t) => {
    const deadlineAt = Date.now() + 6_000;
    const run = newRun(node, 'sleep 100', { deadlineAt });
    const output = join(tempDir(t), 'log');
    const child = await startPlugin(t, { node, host: engine.host, config: {}, run, output });
    await child.waitFor(/started/, 20_000);
    await child.kill('SIGKILL');
    const plugin = await openPlugin(node, engine.host);
    t.match(await ended(plugin, run), { outcome: { by: 'limit', code: 143, reason: 'deadline' } });
    t.ok(Date.now() >= deadlineAt, 'not before its time');
  });

  await t.test('the next one carries out the stop order', async (t) => {
    const run = newRun(node, "trap '' TERM; while :; do sleep 1; done");
    const first = await openPlugin(node, engine.host);
    await first.start(run);
    await first.stop(run, { reason: 'drain', by: 'stop', signal: 'SIGTERM', graceMs: 700 });
    await first.close?.();
    const second = await openPlugin(node, engine.host);
    t.match(await ended(second, run), { outcome: { by: 'stop', code: 137, reason: 'drain' } });
  });
});
