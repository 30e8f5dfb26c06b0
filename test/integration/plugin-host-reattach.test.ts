/** An agent that died, and the next one on the same store: what it finds again, and what it never touches. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { eventually } from '../kit/eventually.ts';
import { makeBench, pluginsOf, processes, type Bench } from './plugin-host-kit.ts';

// Many processes are started here, on machines that may be busy.
t.setTimeout(120_000);

type Stored = Readonly<Record<string, unknown>>;

async function stored(bench: Bench): Promise<Stored> {
  return { ...((await bench.store.get('plugin/memory')) as Stored) };
}

async function change(bench: Bench, fields: Stored): Promise<void> {
  const value = { ...(await stored(bench)), ...fields };
  await bench.store.batch([{ type: 'put', key: 'plugin/memory', value }]);
}

/** A plugin that is running, and no agent. */
async function orphan(t: Test): Promise<{ bench: Bench; pid: number }> {
  const bench = await makeBench(t);
  const { host, ready, pid } = bench.host([bench.spec()]);
  await ready('memory');
  const found = pid('memory');
  await host.detach();
  await host.detach();
  return { bench, pid: found };
}

/** Something alive that is not ours. */
function bystander(t: Test): { pid: number; startTime: string; isAlive(): boolean } {
  const child = spawn('sleep', ['60'], { stdio: 'ignore', detached: true });
  t.teardown(() => child.kill('SIGKILL'));
  const identity = processes.identify(child.pid ?? -1);
  if (identity === undefined) throw new Error('the bystander did not start');
  return { ...identity, isAlive: () => processes.look(identity) === 'alive' };
}

t.test('a new host reattaches to the same process, and its runs are still there', async (t) => {
  const { bench, pid } = await orphan(t);
  t.match(await stored(bench), {
    phase: 'running',
    Protocol: 'grpc',
    ProtocolVersion: 1,
    Pid: pid,
    Addr: { Network: 'unix', String: /plugin\.sock$/ },
    sha256: /^[0-9a-f]{64}$/,
  });
  const begin = performance.now();
  const next = bench.host([bench.spec()]);
  await next.ready('memory');
  t.comment(`reattached and ready in ${Math.round(performance.now() - begin)} ms`);
  t.equal(next.pid('memory'), pid);
  t.match(next.host.health(), [{ reattached: true, restarts: 0 }]);
  t.same(pluginsOf(bench.runDir), [pid]);

  process.kill(pid, 'SIGKILL');
  await next.ready('memory', 2);
  t.match(
    next.told.join('\n'),
    /lost memory: it ended/,
    'the end of a process that is no child is seen too',
  );
});

t.test('a plugin that died meanwhile is started anew, and its folder goes', async (t) => {
  const { bench, pid } = await orphan(t);
  const [folder] = readdirSync(bench.runDir);
  process.kill(pid, 'SIGKILL');
  const next = bench.host([bench.spec()]);
  await next.ready('memory');
  t.notSame(readdirSync(bench.runDir), [folder]);
  t.equal(readdirSync(bench.runDir).length, 1);
  t.match(next.host.health(), [{ reattached: false }]);
});

t.test('a reused pid, another boot and another instance are never signalled', async (t) => {
  for (const forge of ['reused', 'rebooted', 'same process, other instance'] as const) {
    const { bench, pid } = await orphan(t);
    const stranger = bystander(t);
    const forged = {
      reused: { Pid: stranger.pid },
      rebooted: { Pid: stranger.pid, startTime: stranger.startTime, bootId: 'another-boot' },
      'same process, other instance': { instance: 'ffffffff-0000-4000-8000-000000000000' },
    }[forge];
    await change(
      bench,
      forge === 'same process, other instance' ? forged : { ...forged, runDir: '/nowhere' },
    );
    const next = bench.host([bench.spec()], { timings: { exitMs: 200 } });
    await next.ready('memory');
    t.ok(stranger.isAlive(), `${forge}: the stranger lives`);
    t.notOk([stranger.pid, pid].includes(next.pid('memory')));
    if (forge === 'same process, other instance')
      t.ok(pluginsOf(bench.runDir).includes(pid), 'what answers as another instance is left alone');
    await next.host.detach();
  }
});

t.test('a stranger behind the recorded pid and socket is never signalled', async (t) => {
  const bench = await makeBench(t);
  const stranger = bystander(t);
  const socket = join(bench.folder, 'strange.sock');
  const server = createServer((connection) => connection.end()).listen(socket);
  t.teardown(() => server.close());
  await eventually('the strange socket is there', () => existsSync(socket));
  const record = {
    v: 1,
    phase: 'running',
    name: 'memory',
    instance: '11111111-0000-4000-8000-000000000000',
    sha256: '',
    runDir: join(bench.runDir, '11111111'),
    bootId: processes.bootId(),
    Protocol: 'grpc',
    ProtocolVersion: 1,
    Addr: { Network: 'unix', String: socket },
    Pid: stranger.pid,
    startTime: stranger.startTime,
  };
  await bench.store.batch([{ type: 'put', key: 'plugin/memory', value: record }]);
  const next = bench.host([bench.spec()]);
  await next.ready('memory');
  t.ok(stranger.isAlive());
  t.ok(existsSync(socket), 'a file outside of the run folder is not deleted');
  t.match(bench.logged, [{ event: 'plugin.not-reattached', fields: { outcome: 'hung' } }]);
});

t.test(
  'a path that is no socket of ours is foreign, a missing one leads to a fresh start',
  async (t) => {
    for (const place of ['file', 'link', 'nothing'] as const) {
      const { bench, pid } = await orphan(t);
      const { Addr } = await stored(bench);
      const socket = String((Addr as Stored)['String']);
      rmSync(socket);
      if (place === 'file') writeFileSync(socket, '');
      if (place === 'link') symlinkSync('/dev/null', socket);
      const next = bench.host([bench.spec()]);
      await next.ready('memory');
      t.same(
        pluginsOf(bench.runDir),
        [next.pid('memory')],
        `${place}: ours was proven otherwise, and ended`,
      );
      t.not(next.pid('memory'), pid);
    }
  },
);

t.test('a plugin that hangs is ended by proof and started anew', async (t) => {
  const { bench, pid } = await orphan(t);
  process.kill(pid, 'SIGSTOP');
  const next = bench.host([bench.spec()]);
  await next.ready('memory');
  t.same(pluginsOf(bench.runDir), [next.pid('memory')]);
  t.not(next.pid('memory'), pid);
  t.match(bench.logged.find(({ event }) => event === 'plugin.not-reattached')?.fields, {
    outcome: 'hung',
  });
});

t.test('a plugin that does not take the new config is ended and started with it', async (t) => {
  const { bench, pid } = await orphan(t);
  const next = bench.host([bench.spec({ config: { level: 2 } })]);
  await next.ready('memory');
  t.not(next.pid('memory'), pid);
  await eventually(
    'it has the new config',
    () => next.host.health()[0]?.attributes['config'] === '{"level":2}',
  );
  t.same(pluginsOf(bench.runDir), [next.pid('memory')]);
});

t.test(
  'a record that cannot be read leads to a fresh start, and the unknown process is swept',
  async (t) => {
    const { bench, pid } = await orphan(t);
    await bench.store.batch([{ type: 'put', key: 'plugin/memory', value: { v: 9 } }]);
    const next = bench.host([bench.spec()]);
    await next.ready('memory');
    await eventually('only the new process is left', () => pluginsOf(bench.runDir).length === 1);
    t.not(next.pid('memory'), pid);
  },
);

t.test(
  'a plugin that is not configured any more is ended, a stray folder is deleted, others stay',
  async (t) => {
    const { bench } = await orphan(t);
    mkdirSync(join(bench.runDir, '0badcafe'));
    mkdirSync(join(bench.runDir, 'something-else'));
    const next = bench.host([bench.spec({ name: 'other' })]);
    await next.ready('other');
    await eventually('one process, one folder and the stranger are left', () => {
      return pluginsOf(bench.runDir).length === 1 && readdirSync(bench.runDir).length === 2;
    });
    t.ok(existsSync(join(bench.runDir, 'something-else')));
    t.equal(await bench.store.get('plugin/memory'), undefined);
  },
);
