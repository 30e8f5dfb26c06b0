import t from 'tap';
import { testEngine } from '../../kit/engine.ts';
import { ended, newRun, openPlugin, readLog } from './node.ts';
import { onePlugin } from './one-plugin.ts';
import { nameOf } from './raw-engine.ts';

t.setTimeout(300_000);

const engine = await testEngine(t);

void t.test('a run in a container', { skip: engine.skip }, async (t) => {
  const { node, raw, plugin } = await onePlugin(t, engine.host);

  await t.test(
    'the engine is healthy, and keeps an id that a second look finds again',
    async (t) => {
      const seen = await plugin.fingerprint();
      t.equal(seen.health, 'healthy', seen.reason);
      const id = await plugin.engineId?.();
      t.match(id, /^[0-9a-f-]{36}$/);
      t.equal(await (await openPlugin(node, engine.host)).engineId?.(), id);
    },
  );

  await t.test('ends with its exit code and its whole output', async (t) => {
    const good = newRun(node, 'echo out; echo err >&2');
    const bad = newRun(node, 'exit 7');
    const started = await plugin.start(good);
    t.match(started, { marked: true, sameBoot: true, ours: true, specHash: 'hash-1' });
    await plugin.start(bad);
    t.match(await ended(plugin, good), { phase: 'exited', outcome: { by: 'exit', code: 0 } });
    t.match(await ended(plugin, bad), { phase: 'exited', outcome: { by: 'exit', code: 7 } });
    t.same(await readLog(plugin, good), { stdout: 'out\n', stderr: 'err\n', gaps: 0 });
  });

  await t.test('its output comes byte for byte, but for what is no UTF-8', async (t) => {
    const MIB = 1024 * 1024;
    const script = `head -c ${MIB} /dev/zero | tr '\\0' x; echo; yes äöü€ | head -n 20000; printf '\\377 open'`;
    const run = newRun(node, script);
    await plugin.start(run);
    t.match(await ended(plugin, run), { outcome: { by: 'exit', code: 0 } });
    const printed = `${'x'.repeat(MIB)}\n${'äöü€\n'.repeat(20_000)}\ufffd open`;
    const { stdout, stderr, gaps } = await readLog(plugin, run);
    t.ok(
      Buffer.from(stdout, 'latin1').toString() === printed,
      'a long line, many short ones, no newline at the end',
    );
    t.strictSame([stderr, gaps], ['', 0]);
  });

  await t.test('prepare names the image by its id, which start runs', async (t) => {
    const run = newRun(node, 'true');
    const digest = await plugin.prepare(run.spec, () => undefined, AbortSignal.timeout(10_000));
    t.match(digest, /^sha256:[0-9a-f]{64}$/);
    const elsewhere = `sha256:${'0'.repeat(64)}`;
    for (const one of [digest, elsewhere]) {
      const pinned = newRun(node, 'true', { digest: one });
      await plugin.start(pinned);
      const { Image } = await raw.getContainer(nameOf(node, pinned)).inspect();
      t.equal(Image, digest, `${one} is the image that this engine has`);
      t.match(await ended(plugin, pinned), { outcome: { by: 'exit', code: 0 } });
    }
  });

  await t.test('a missing image is refused at once when pulling is not allowed', async (t) => {
    const { spec } = newRun(node, 'true', { params: { Image: 'no/such:1' } });
    const call = plugin.prepare(spec, () => undefined, AbortSignal.timeout(2_000));
    await t.rejects(call, {
      code: 'refused',
      message: /no\/such:1 is not on this node and the pull policy is never/,
    });
  });

  await t.test('a missing image that no registry has is refused with the reason', async (t) => {
    const params = { Image: '127.0.0.1:9/no/such:1', PullPolicy: 'missing' };
    const { spec } = newRun(node, 'true', { params });
    const call = plugin.prepare(spec, () => undefined, AbortSignal.timeout(15_000));
    await t.rejects(call, { code: 'refused', message: /cannot be pulled: .*127\.0\.0\.1:9/ });
  });

  await t.test('a registry that does not answer is given up after the look-up time', async (t) => {
    const { createServer } = await import('node:net');
    const silent = createServer().listen(0, '127.0.0.1');
    t.teardown(() => silent.close());
    await new Promise((resolve) => silent.once('listening', resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const impatient = await openPlugin(node, engine.host, { config: { pullLookupMs: 300 } });
    const params = { Image: `127.0.0.1:${port}/no/such:1`, PullPolicy: 'missing' };
    const { spec } = newRun(node, 'true', { params });
    const call = impatient.prepare(spec, () => undefined, AbortSignal.timeout(10_000));
    await t.rejects(call, { code: 'refused', message: /no registry answered within 300 ms/ });
  });

  await t.test(
    'a command that does not exist is refused with the words of the engine',
    async (t) => {
      const run = newRun(node, '', { params: { Parameters: ['/no/such/program'], Init: false } });
      await t.rejects(plugin.start(run), { code: 'refused', message: /no such file or directory/ });
      t.match(await plugin.observe(run), { phase: 'created', startError: /no such file/ });
    },
  );

  await t.test('under the init of the engine it ends with 127 and says why', async (t) => {
    const run = newRun(node, '', { params: { Parameters: ['/no/such/program'] } });
    await plugin.start(run);
    t.match(await ended(plugin, run), { outcome: { by: 'exit', code: 127 } });
    t.match(await readLog(plugin, run), { stderr: /no\/such\/program failed: No such file/ });
  });

  await t.test('a mount of a folder that does not exist is refused', async (t) => {
    const mounts = [{ source: '/no/such/folder', target: '/input', readOnly: true }];
    await t.rejects(plugin.start(newRun(node, 'true', { mounts })), {
      code: 'refused',
      message: /no\/such\/folder/,
    });
  });
});
