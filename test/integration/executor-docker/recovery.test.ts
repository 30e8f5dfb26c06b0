import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { DockerParams } from '../../../executors/docker/params.ts';
import type { Executor, RunContext } from '../../../plugins/sdk/types.ts';
import { eventually } from '../../kit/eventually.ts';
import { startProgram, type Program } from '../../kit/program.ts';
import type { Teardown } from '../../kit/teardown.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { ended, newNode, newRun, openPlugin } from './node.ts';
import type { PluginOrder } from './plugin-process.ts';
import { engineMissing, startPrivateEngine } from './private-engine.ts';

interface Line {
  readonly stream: string;
  readonly text: string;
  readonly cursor: string;
}

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

async function readOn(
  plugin: Executor<DockerParams>,
  run: RunContext<DockerParams>,
  cursor: string,
) {
  const lines: Line[] = [];
  for await (const chunk of plugin.logs(run).read(cursor, AbortSignal.timeout(60_000)))
    lines.push({ ...chunk, text: Buffer.from(chunk.data).toString('latin1') });
  return lines;
}

function textOf(lines: readonly Line[], stream: string): string {
  return lines
    .filter((line) => line.stream === stream)
    .map((line) => line.text)
    .join('');
}

function numbered(prefix: string, count: number): string {
  return Array.from({ length: count }, (_, i) => `${prefix} ${i}\n`).join('');
}

void t.test('after a crash', { skip: engineMissing() ?? false, timeout: 120_000 }, async (t) => {
  const engine = await startPrivateEngine(t);
  const node = newNode(tempDir(t));

  await t.test('of the plugin the run is the same, its log whole, its deadline kept', async (t) => {
    const config = { logSize: '200k', logFiles: 4 };
    const lines = 20_000;
    const body = `i=0; while [ $i -lt ${lines} ]; do echo "line $i"; [ $((i%100)) = 0 ] && { echo "err $((i/100))" >&2; sleep 0.01; }; i=$((i+1)); done`;
    const deadlineAt = Date.now() + 15_000;
    const run = newRun(node, `${body}; sleep 100`, { deadlineAt });
    const output = join(tempDir(t), 'log');
    const child = await startPlugin(t, { node, host: engine.host, config, run, output });
    const started = await child.waitFor(/started (\w+)/, 20_000);
    await eventually(
      'a quarter of the log',
      () => stored(output).length > 0 && textOf(stored(output), 'stdout').length > 50_000,
      20_000,
    );
    await child.kill('SIGKILL');
    const before = stored(output);
    t.ok(
      textOf(before, 'stdout').length < numbered('line', lines).length,
      'killed in the middle of it',
    );

    const plugin = await openPlugin(node, engine.host, { config });
    t.teardown(() => plugin.close?.());
    const [listed] = await plugin.list();
    t.match(listed, { key: run.spec.key, phase: 'running', marked: true, ours: true });
    const again = await plugin.start(run);
    t.equal(again.facts?.['containerId'], started[1], 'the same container');
    const end = ended(plugin, run);
    const after = await readOn(plugin, run, before.at(-1)?.cursor ?? '');
    const all = [...before, ...after];
    t.equal(textOf(all, 'stdout'), numbered('line', lines), 'no line lost or doubled');
    t.equal(textOf(all, 'stderr'), numbered('err', lines / 100));
    t.equal(textOf(all, 'gap'), '');
    t.match(await end, { outcome: { by: 'limit', code: 143, reason: 'deadline' } });
    t.ok(Date.now() - deadlineAt < 5_000, 'ended at its deadline');
  });

  await t.test(
    'of the plugin within a grace, the stop order is carried out by the next one',
    async (t) => {
      const run = newRun(node, "trap '' TERM; while :; do sleep 1; done");
      const first = await openPlugin(node, engine.host);
      await first.start(run);
      await first.stop(run, { reason: 'drain', by: 'stop', signal: 'SIGTERM', graceMs: 700 });
      await first.close?.();
      const second = await openPlugin(node, engine.host);
      t.match(await ended(second, run), { outcome: { by: 'stop', code: 137, reason: 'drain' } });
    },
  );

  await t.test('of the engine the runs go on and end with their true codes', async (t) => {
    const plugin = await openPlugin(node, engine.host);
    t.teardown(() => plugin.close?.());
    const meanwhile = newRun(node, 'echo 1; sleep 1; echo 2; exit 42');
    const afterwards = newRun(
      node,
      'i=0; while [ $i -lt 40 ]; do echo $i; i=$((i+1)); sleep 0.1; done; exit 43',
    );
    await plugin.start(meanwhile);
    await plugin.start(afterwards);
    const ends = Promise.all([ended(plugin, meanwhile), ended(plugin, afterwards)]);
    await engine.kill('SIGKILL');
    t.match(await plugin.observe(meanwhile), { phase: 'unobservable', marked: true });
    const during = await plugin.list();
    t.ok(
      during.length >= 2 && during.every((o) => o.phase === 'unobservable'),
      'nothing is claimed to be gone',
    );
    t.match(await plugin.fingerprint(), {
      health: 'unhealthy',
      reason: /no Docker engine at unix:/,
    });
    t.equal(await plugin.engineId?.(), undefined);
    await t.rejects(plugin.remove(meanwhile.spec.key), { code: 'unavailable' });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await engine.restart();
    t.match(await ends, [
      { outcome: { by: 'exit', code: 42 } },
      { outcome: { by: 'exit', code: 43 } },
    ]);
    const log = await readOn(plugin, afterwards, '');
    t.equal(textOf(log, 'stdout'), Array.from({ length: 40 }, (_, i) => `${i}\n`).join(''));
  });

  await t.test('of the host, a run that was killed with it is lost, not failed', async (t) => {
    const run = newRun(node, 'kill -9 $$');
    const before = await openPlugin(node, engine.host, { bootId: 'boot-1' });
    await before.start(run);
    t.match(await ended(before, run), { sameBoot: true, outcome: { by: 'exit', code: 137 } });
    const after = await openPlugin(node, engine.host, { bootId: 'boot-2' });
    t.match(await after.observe(run), {
      sameBoot: false,
      outcome: { by: 'lost', code: 137, reason: 'interrupted' },
    });
  });
});
