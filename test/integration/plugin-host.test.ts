import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { LiveProgress } from '../../core/live-progress.ts';
import type { RunOrder } from '../../agent/plugins/port.ts';
import { eventually } from '../kit/eventually.ts';
import { makeBench, pluginsOf, processes } from './plugin-host-kit.ts';

// Many processes are started here, on machines that may be busy.
t.setTimeout(120_000);

const ORDER: RunOrder = {
  ref: { executionId: 'e-1', run: 0 },
  specHash: 'abc',
  jobId: 'j-1',
  jobName: 'job',
  kind: 'batch',
  owner: 'r-1',
  token: '1.0.1',
  params: {},
  env: {},
  mounts: [],
  limits: { cpuMillis: 500, memoryBytes: 2 ** 33, pids: 10, diskBytes: 0 },
  network: 'none',
  deadlineAt: 0,
  digest: 'sha256:1',
  stopGraceMs: 1000,
};

t.test(
  'starts a plugin in its own session with listed environment and serves its calls',
  async (t) => {
    const bench = await makeBench(t);
    const { host, atFirst, told, ready, pid } = bench.host([bench.spec({ config: { level: 3 } })]);
    t.match(atFirst, [{ name: 'memory', health: 'unhealthy', pending: true }]);
    t.match(host.health(), [{ name: 'memory', health: 'unhealthy', reason: /started/ }]);
    t.equal(host.client('memory'), undefined);
    const client = await ready('memory');
    t.equal(host.client('memory'), client);
    await eventually('it is healthy', () => host.health()[0]?.health === 'healthy');
    t.match(host.health(), [
      {
        version: '1.2.3',
        restarts: 0,
        reattached: false,
        attributes: { config: '{"level":3}', home: '/nowhere' },
      },
    ]);
    const environ = readFileSync(`/proc/${pid('memory')}/environ`, 'utf8');
    t.notMatch(environ, /SECRET/);
    const stat = readFileSync(`/proc/${pid('memory')}/stat`, 'utf8')
      .split(') ')[1]
      ?.split(' ');
    t.equal(stat?.[3], String(pid('memory')), 'it leads its own session');

    t.match(await client.start(ORDER), {
      alreadyRunning: false,
      observed: { phase: 'running', startedAt: 1000 },
    });
    t.match(await client.start(ORDER), { alreadyRunning: true });
    t.match(await client.list(), {
      engineId: 'memory-1',
      runs: [{ executionId: 'e-1', run: 0, ours: true }],
    });
    const handle = Buffer.from('e-1/0').toString('base64');
    t.match(await client.recover(ORDER.ref, handle), { phase: 'running', handle, specHash: 'abc' });
    t.same(client.paramsSchema, { type: 'object' });
    const absent = { executionId: 'e-1', run: 7, phase: 'absent', marked: false };
    t.match(await client.status({ executionId: 'e-1', run: 7 }), absent);
    t.match(await client.recover({ executionId: 'e-1', run: 7 }, undefined), absent);
    await client.stop(ORDER.ref, { reason: 'asked', by: 'stop', graceMs: 10 });
    await eventually('the plugin wakes the agent', () => told.includes('wake memory e-1'));
    t.match(await client.status(ORDER.ref), {
      phase: 'exited',
      outcome: { by: 'stop', code: 143, reason: 'asked' },
    });
    await client.remove(ORDER.ref, false);
    t.match(await client.status(ORDER.ref), { phase: 'absent' });
  },
);

t.test('tells progress, a refusal, a cancel and a plugin that went away apart', async (t) => {
  const bench = await makeBench(t);
  const { ready, pid } = bench.host([bench.spec()]);
  const client = await ready('memory');
  const seen: LiveProgress[] = [];
  const never = new AbortController().signal;
  t.equal(await client.prepare(ORDER, (now) => seen.push(now), never), 'sha256:1');
  t.strictSame(seen, [
    { kind: 'other', item: 'fetching', doneBytes: 0 },
    { kind: 'image', item: 'busybox:1', doneBytes: 1, totalBytes: 2 },
  ]);
  const refused = client.prepare({ ...ORDER, params: 'refuse' }, () => undefined, never);
  await t.rejects(refused, { code: 'refused', message: 'there is no such image' });
  const stop = new AbortController();
  const forever = { ...ORDER, params: 'forever' };
  const cancelled = client.prepare(forever, () => stop.abort(), stop.signal);
  await t.rejects(cancelled, { code: 'cancelled' });

  const texts: string[] = [];
  const follow = (async () => {
    const request = { executionId: 'e-1', fromOffset: 0n, follow: true, tailLines: 0 };
    for await (const { frames } of client.logs(request, never))
      for (const frame of frames) texts.push(Buffer.from(frame.data).toString());
  })();
  const failed = t.rejects(follow, { code: /^(plugin-failed|unavailable)$/ });
  await eventually('the log is read', () => texts.length === 1);
  const waiting = client.prepare(forever, () => process.kill(pid('memory'), 'SIGKILL'), never);
  await t.rejects(waiting, { code: /^(plugin-failed|unavailable)$/ });
  await failed;
  t.same(texts, ['log of e-1\n']);
});

t.test('a killed plugin is lost, and started anew as the next generation', async (t) => {
  const bench = await makeBench(t);
  const { host, told, ready, pid } = bench.host([bench.spec()]);
  const first = await ready('memory');
  const before = pid('memory');
  process.kill(before, 'SIGKILL');
  await ready('memory', 2);
  t.not(pid('memory'), before);
  t.match(told.join('\n'), /lost memory: it was ended by SIGKILL/);
  t.match(host.health(), [{ restarts: 1, reattached: false }]);
  await t.rejects(first.list(), { code: 'plugin-failed' });
  await eventually('the old run folder is gone', () => pluginsOf(bench.runDir).length === 1);
});

t.test('what a plugin has started outlives the end of the plugin', async (t) => {
  const bench = await makeBench(t);
  const { ready, pid, host } = bench.host([bench.spec()]);
  const client = await ready('memory');
  await client.start({ ...ORDER, params: 'hold' });
  const marked = (): readonly number[] =>
    processes
      .findByEnv('TMPDIR', join(bench.runDir, instance.slice(0, 8)))
      .filter((found) => found !== pid('memory'));
  const instance = host.health()[0]?.instance ?? '';
  const [holder = -1] = await eventually(
    'the holder runs',
    () => marked().length === 1 && marked(),
  );
  const identity = processes.identify(holder);
  t.teardown(() => identity !== undefined && processes.signal(identity, 'SIGKILL'));
  process.kill(pid('memory'), 'SIGKILL');
  await ready('memory', 2);
  await host.shutdown();
  t.equal(identity === undefined ? '' : processes.look(identity), 'alive');
});

t.test('a plugin that does not answer is slow, then ended and started anew', async (t) => {
  const bench = await makeBench(t);
  const { told, ready, pid } = bench.host([bench.spec()]);
  await ready('memory');
  const before = pid('memory');
  process.kill(before, 'SIGSTOP');
  await ready('memory', 2);
  t.match(
    told.join('\n'),
    /unhealthy: the plugin is slow[^]*lost memory: it did not answer for 600 ms/,
  );
  t.same(pluginsOf(bench.runDir), [pid('memory')]);
});

t.test(
  'a plugin that answers health checks and nothing else is ended and started anew',
  async (t) => {
    const bench = await makeBench(t);
    // Its only fingerprint comes at once; good plugins repeat theirs.
    const timings = { quietMs: 1_000 };
    const { told, ready, pid } = bench.host([bench.spec()], { timings });
    await ready('memory');
    const before = pid('memory');
    await ready('memory', 2);
    t.match(
      told.join('\n'),
      /lost memory: it answers health checks, but has told nothing .* 1000 ms/,
    );
    t.notMatch(told.join('\n'), /slow/);
    t.same(pluginsOf(bench.runDir), [pid('memory')]);
    t.not(pid('memory'), before);
  },
);

t.test('a plugin that is only slow for a moment stays', async (t) => {
  const bench = await makeBench(t);
  const { told, ready, pid } = bench.host([bench.spec()], { timings: { deadMs: 20_000 } });
  await ready('memory');
  const before = pid('memory');
  process.kill(before, 'SIGSTOP');
  await eventually('it is slow', () => told.some((line) => line.includes('slow')));
  process.kill(before, 'SIGCONT');
  await eventually('it is healthy again', () => told.at(-1) === 'health memory healthy: ');
  t.equal(pid('memory'), before);
});

t.test(
  'a plugin that ends at once is tried again with back-off, and its last words are told',
  async (t) => {
    const bench = await makeBench(t);
    const { host, told } = bench.host([bench.spec()], { env: { MEMORY_PLUGIN_MODE: 'exit' } });
    const reason = await eventually('a second restart', () => {
      const [health] = host.health();
      return (
        health !== undefined &&
        health.restarts >= 2 &&
        /in 0\.08 s$/.test(health.reason) &&
        health.reason
      );
    });
    t.match(reason, /ended with code 3 before the handshake; it said: the engine room is flooded/);
    t.notMatch(told.join('\n'), /ready|lost/);
    await host.detach();
    t.same(pluginsOf(bench.runDir), []);
  },
);

t.test(
  'a plugin without a handshake, an impostor and a refused config do not become ready',
  async (t) => {
    const bench = await makeBench(t);
    const cases = [
      [
        {},
        { env: { MEMORY_PLUGIN_MODE: 'mute' }, timings: { startMs: 300 } },
        /no handshake within 300 ms/,
      ],
      [{}, { env: { MEMORY_PLUGIN_MODE: 'impostor' } }, /answers as instance 'somebody-else'/],
      [{ config: { bad: 1 } }, {}, /\/bad: unknown key/],
      [{ command: ['/nowhere/plugin'] }, {}, /there is no program \/nowhere\/plugin/],
      [{ command: [process.execPath, '-e', 'console.log("hello")'] }, {}, /handshake 'hello'/],
    ] as const;
    for (const [change, options, expected] of cases) {
      const { host, told } = bench.host([bench.spec(change)], options);
      await eventually(`${expected.source}`, () => expected.test(host.health()[0]?.reason ?? ''));
      t.notMatch(told.join('\n'), /ready/);
      await host.shutdown();
      t.same(pluginsOf(bench.runDir), [], 'no process stays');
    }
  },
);

t.test('no plugin delays another', async (t) => {
  const bench = await makeBench(t);
  const silent = bench.spec({ name: 'silent', command: ['/bin/sleep', '30'] });
  const { host, ready } = bench.host([silent, bench.spec()], { timings: { startMs: 60_000 } });
  await ready('memory');
  t.equal(host.client('silent'), undefined);
  await host.detach();
  t.equal(pluginsOf(bench.runDir).length, 2, 'detach leaves both, the silent one too');
});

t.test('shutdown ends plugins in an orderly way and leaves nothing behind', async (t) => {
  const bench = await makeBench(t);
  const { host, told, ready, pid } = bench.host([bench.spec()]);
  await ready('memory');
  const identity = processes.identify(pid('memory'));
  await host.shutdown();
  await host.shutdown();
  t.equal(identity === undefined ? '' : processes.look(identity), 'gone');
  t.same((await bench.store.scan({ prefix: 'plugin/' })).entries, []);
  t.notMatch(told.join('\n'), /lost/);
  t.same(readdirSync(bench.runDir), []);
});
