import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { privateEngine, privateEngineSkip } from '../../kit/engine.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { ended, newNode, newRun, openPlugin, readFrom, textOf } from './node.ts';

t.setTimeout(300_000);

const skip = privateEngineSkip();

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

  // Long enough for the first run to end while there is no engine.
  await delay(1_500);
  await engine.daemon.start();
  const [first, second] = await ends;
  t.match(first, { outcome: { by: 'exit', code: 42 } });
  t.match(second, { outcome: { by: 'exit', code: 43 } });
  const log = await readFrom(plugin, afterwards, '');
  t.equal(textOf(log, 'stdout'), Array.from({ length: 60 }, (_, i) => `${i}\n`).join(''));
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
