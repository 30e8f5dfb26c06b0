import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { privateEngine, privateEngineSkip } from '../../kit/engine.ts';
import { eventually } from '../../kit/eventually.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { ended, newNode, newRun, openPlugin, readFrom, readLog, textOf } from './node.ts';
import { nameOf, rawEngine } from './raw-engine.ts';

t.setTimeout(300_000);

const skip = privateEngineSkip();

/** Waits for the end of a container without its engine. */
async function processEnd(pid: number): Promise<void> {
  await eventually(`the end of process ${pid}`, () => !existsSync(`/proc/${pid}`));
}

void t.test('an engine with live-restore that was killed', { skip }, async (t) => {
  const engine = await privateEngine(t, { liveRestore: true });
  const node = newNode(tempDir(t));
  const plugin = await openPlugin(node, engine.host);
  t.teardown(() => plugin.close?.());
  const meanwhile = newRun(node, 'echo 1; sleep 1; echo 2; exit 42');
  const afterwards = newRun(
    node,
    'i=0; while [ $i -lt 60 ]; do echo $i; i=$((i+1)); sleep 0.1; done; exit 43',
  );
  await plugin.start(meanwhile);
  await plugin.start(afterwards);
  const { State } = await rawEngine(engine.host).getContainer(nameOf(node, meanwhile)).inspect();
  const ends = Promise.all([ended(plugin, meanwhile), ended(plugin, afterwards)]);
  await engine.daemon.kill('SIGKILL');

  t.match(await plugin.observe(meanwhile), { phase: 'unobservable', marked: true });
  const during = await plugin.list();
  t.equal(during.length, 2);
  t.ok(
    during.every((o) => o.phase === 'unobservable'),
    'nothing is claimed to be gone',
  );
  t.match(await plugin.fingerprint(), { health: 'unhealthy', reason: /no Docker engine at unix:/ });
  t.equal(await plugin.engineId?.(), undefined);
  await t.rejects(plugin.remove(meanwhile.spec.key), { code: 'unavailable' });

  await processEnd(State.Pid);
  await engine.daemon.start();
  const [first, second] = await ends;
  t.match(first, { outcome: { by: 'exit', code: 42 } });
  t.match(second, { outcome: { by: 'exit', code: 43 } });
  const log = await readFrom(plugin, afterwards, '');
  t.equal(textOf(log, 'stdout'), Array.from({ length: 60 }, (_, i) => `${i}\n`).join(''));
  t.match(textOf(log, 'gap'), /^the connection to the engine broke at \S+; lines may be missing/);
  t.equal(log.filter((line) => line.stream === 'gap').length, 1);
});

void t.test('the log of a run within which its engine restarted', { skip }, async (t) => {
  const engine = await privateEngine(t, { liveRestore: true });
  const node = newNode(tempDir(t));
  const pidFile = join(dirname(new URL(engine.host).pathname), 'pid');
  const open = () => openPlugin(node, engine.host, { config: { pidFile } });
  const plugin = await open();
  const whole = newRun(node, 'echo whole; exit 1');
  const short = newRun(node, 'echo 1; sleep 2; echo lost; exit 42');
  const long = newRun(node, `echo 1; trap 'echo 2; exit 43' HUP; while :; do sleep 0.1; done`);
  for (const run of [whole, short, long]) await plugin.start(run);
  await ended(plugin, whole);
  const before = await readLog(plugin, whole);
  t.same(before, { stdout: 'whole\n', stderr: '', gaps: 0 });
  const begun = plugin.logs(long).read('', AbortSignal.timeout(30_000))[Symbol.asyncIterator]();
  const first = await begun.next();
  await begun.return?.();
  await plugin.close?.();
  const { State } = await rawEngine(engine.host).getContainer(nameOf(node, short)).inspect();
  await engine.daemon.kill('SIGKILL');
  await processEnd(State.Pid);
  await engine.daemon.start();

  const after = await open();
  t.teardown(() => after.close?.());
  t.match(await ended(after, short), { outcome: { by: 'exit', code: 42 } });
  const told = await readFrom(after, short, '');
  t.match(
    told.map(({ stream, text }) => `${stream} ${text}`),
    ['stdout 1\n', /^gap the engine restarted at \S+Z; lines may be missing here$/],
    'the line that the engine has lost is told as a gap',
  );
  t.same(await readFrom(after, short, told.at(-1)?.cursor ?? ''), [], 'once');

  const cursor = String(first.value?.cursor);
  const signal = AbortSignal.timeout(30_000);
  const reading = after.logs(long).read(cursor, signal)[Symbol.asyncIterator]();
  const gap = await reading.next();
  t.equal(gap.value?.stream, 'gap', 'of a run that goes on it is told at once');
  await reading.return?.();
  await after.stop(long, { by: 'stop', reason: 'x', signal: 'SIGHUP', graceMs: 20_000 });
  t.match(await ended(after, long), { outcome: { by: 'stop', code: 43 } });
  const rest = await readFrom(after, long, String(gap.value?.cursor));
  t.same([textOf(rest, 'stdout'), textOf(rest, 'gap')], ['2\n', ''], 'and not again');
});

void t.test('an engine without live-restore that was killed', { skip }, async (t) => {
  const engine = await privateEngine(t);
  const node = newNode(tempDir(t));
  const plugin = await openPlugin(node, engine.host);
  t.teardown(() => plugin.close?.());
  const run = newRun(node, 'sleep 600');
  await plugin.start(run);
  const end = ended(plugin, run, 60_000);
  await engine.daemon.kill('SIGKILL');
  await engine.daemon.start();
  t.match(
    await end,
    { outcome: { by: 'lost', code: 143, reason: 'interrupted' } },
    'what the engine ends at its start is lost, not failed',
  );
});

void t.test('a host that was restarted', { skip }, async (t) => {
  const engine = await privateEngine(t);
  const node = newNode(tempDir(t));
  const run = newRun(node, 'kill -9 $$');
  const before = await openPlugin(node, engine.host, { bootId: 'boot-1' });
  await before.start(run);
  t.match(await ended(before, run), { sameBoot: true, outcome: { by: 'exit', code: 137 } });
  const after = await openPlugin(node, engine.host, { bootId: 'boot-2' });
  t.match(
    await after.observe(run),
    { sameBoot: false, outcome: { by: 'lost', code: 137, reason: 'interrupted' } },
    'a run that was killed with it is lost, not failed',
  );
});
