/** Plugins that come, change, go and are refused while the host of them runs: real programs in a real folder. */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { PluginFact } from '../../wire/plugins.ts';
import { eventually } from '../kit/eventually.ts';
import { PluginFolder } from '../kit/plugin-folder.ts';
import { makeBench, pluginsOf, type Bench, type HostOptions } from './plugin-host-kit.ts';

t.setTimeout(240_000);

interface World {
  readonly bench: Bench;
  readonly folder: PluginFolder;
  /** Executions that need the plugin, as the agent tells. */
  readonly need: { count: number };
  put(name: string, version: string): string;
  open(specs?: Parameters<Bench['host']>[0], options?: HostOptions): Running;
}

interface Running {
  readonly host: ReturnType<Bench['host']>['host'];
  fact(name: string, is: (fact: PluginFact) => boolean): Promise<PluginFact>;
  gone(name: string): Promise<unknown>;
}

const isRunning = ({ state, health }: PluginFact): boolean =>
  state === 'running' && health === 'healthy';

async function makeWorld(t: Test): Promise<World> {
  const bench = await makeBench(t);
  const folder = new PluginFolder(join(bench.folder, 'programs'));
  const need = { count: 0 };
  const work = { isRecovered: () => true, running: () => 0, unfinished: () => need.count };
  return {
    bench,
    folder,
    need,
    put: (name, version) => folder.put(name, version, bench.spec().command),
    open: (specs = [], options = {}) => {
      const { host } = bench.host(specs, { folder: folder.path, work, ...options });
      const find = (name: string) => host.set().find((one) => one.name === name);
      return {
        host,
        fact: (name, is) =>
          eventually(
            `plugin ${name}`,
            () => {
              const fact = find(name);
              if (fact !== undefined && is(fact)) return fact;
              throw new Error(JSON.stringify(host.set()));
            },
            30_000,
          ),
        gone: (name) => eventually(`no plugin ${name}`, () => find(name) === undefined, 30_000),
      };
    },
  };
}

function sha256sum(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

t.test('a program in the folder is a plugin; it changes and goes with it', async (t) => {
  const { bench, need, put, folder, open } = await makeWorld(t);
  const { host, fact, gone } = open();
  t.same(host.health(), []);
  const file = put('one.sh', '1');
  const first = await fact('one', isRunning);
  t.match(first, { source: 'folder', path: file, command: [file], pinned: false, restarts: 0 });
  t.equal(first.sha256, sha256sum(file));
  t.equal(typeof first.startedAt, 'number');

  put('one.sh', '2');
  const second = await fact('one', (now) => isRunning(now) && now.pid !== first.pid);
  t.equal(second.sha256, sha256sum(file));
  await eventually('one process', () => pluginsOf(bench.runDir).length === 1);
  folder.describe('one', { config: { level: 3 } });
  const third = await fact('one', (now) => isRunning(now) && now.pid !== second.pid);
  t.equal(host.health()[0]?.attributes['config'], '{"level":3}', 'what stands beside it counts');

  need.count = 1;
  folder.remove('one.sh');
  const removed = await fact('one', ({ state }) => state === 'removed');
  t.same([removed.pid, removed.health], [third.pid, 'unhealthy'], 'it stays for its work');
  put('one.sh', '2');
  t.equal((await fact('one', isRunning)).pid, third.pid, 'back before that, it goes on');
  folder.remove('one.sh');
  await fact('one', ({ state }) => state === 'removed');
  await t.rejects(host.restart('one'), { message: /there is no program .*one\.sh/ });
  t.equal((await fact('one', ({ pid }) => pid !== undefined)).pid, third.pid, 'it is not ended');
  process.kill(third.pid ?? NaN, 'SIGKILL');
  const dead = await fact('one', ({ reason }) => reason.includes('there is no program'));
  t.match(dead.reason, /^it was removed: .*; their ends are seen when it can be started: there is/);
  t.match(dead.reason, /no program .*one\.sh; next try in [\d.]+ s$/);
  need.count = 0;
  await gone('one');
  t.same(pluginsOf(bench.runDir), []);
  t.equal(await bench.store.get('plugin/one'), undefined);
});

t.test(
  'what must not be started is shown with the reason, and starts when that is mended',
  async (t) => {
    const { bench, folder, put, open } = await makeWorld(t);
    chmodSync(put('weak', '1'), 0o777);
    chmodSync(put('text', '1'), 0o644);
    put('Wrong_Name', '1');
    put('memory', '1');
    put('twin.a', '1');
    put('twin.b', '1');
    put('beside', '1');
    folder.describe('beside', { config: {}, argv: [] });
    put('open', '1');
    folder.describe('open', {});
    writeFileSync(join(folder.path, 'open.json'), '{"args":[]}');
    chmodSync(join(folder.path, 'open.json'), 0o666);
    const pinned = put('pinned', '1');
    folder.describe('pinned', { sha256: 'a'.repeat(64) });
    put('misnamed.sh', '1');
    folder.describe('misnamed.sh', { sha256: 'c'.repeat(64) });
    symlinkSync('/nowhere/at/all', join(folder.path, 'lost'));
    mkdirSync(join(folder.path, 'inner'));
    for (const no of ['.hidden', 'old~', 'part.tmp', 'part.new']) put(no, '1');
    const isRoot = process.getuid?.() === 0;
    if (isRoot) chownSync(put('strange', '1'), 12_345, 12_345);
    const { host, fact } = open([bench.spec()]);
    const refused = (name: string) =>
      fact(name, ({ state, source }) => state === 'refused' && source === 'folder');
    const reasons: Record<string, RegExp> = {
      weak: /everybody may write .*\/weak; take that right away/,
      text: /text is not executable \(chmod \+x\)/,
      Wrong_Name: /'Wrong_Name' is no name of a plugin/,
      misnamed: /misnamed\.sh\.json is not read; name it misnamed\.json, or move it away/,
      lost: /lost leads to nothing that is there; remove the link/,
      inner: /inner is no file; only programs belong into this folder/,
      twin: /there are twin\.a and twin\.b, all named twin; leave one/,
      beside: /beside\.json: argv: unknown key; expected args, config, passEnv or sha256/,
      open: /everybody may write .*\/open\.json/,
      pinned: new RegExp(`has sha256 ${sha256sum(pinned)}, and is pinned to ${'a'.repeat(64)}`),
      ...(isRoot ? { strange: /strange belongs to user 12345; expected root/ } : {}),
    };
    for (const [name, reason] of Object.entries(reasons)) {
      const { reason: why, pid } = await refused(name);
      t.match(why, reason, name);
      t.equal(pid, undefined);
    }
    const memory = await fact('memory', isRunning);
    t.equal(memory.source, 'config', 'a name that is taken stays who has it');
    t.match(
      host.set().find(({ name, source }) => name === 'memory' && source === 'folder')?.reason,
      /the name memory is that of a plugin of the config; rename the file/,
    );
    const names = [...new Set(host.set().map(({ name }) => name))].sort();
    t.same(names, [...Object.keys(reasons), 'memory'].sort(), 'and the rest are no programs');
    t.equal(pluginsOf(bench.runDir).length, 1, 'nothing of that was started');
    t.match(
      host.health().find(({ name }) => name === 'weak'),
      { health: 'unhealthy', state: 'refused', pending: false },
    );
    await t.rejects(host.restart('weak'), { code: 'refused' });

    chmodSync(join(folder.path, 'weak'), 0o755);
    folder.describe('pinned', { sha256: sha256sum(pinned) });
    await fact('weak', isRunning);
    t.equal((await fact('pinned', isRunning)).pinned, true);
  },
);

t.test('a pin is looked at before every start', async (t) => {
  const { bench, folder, put, open } = await makeWorld(t);
  const good = put('pinned', '1');
  const pin = sha256sum(good);
  folder.describe('pinned', { sha256: pin });
  const { fact, host } = open();
  const before = await fact('pinned', isRunning);
  const text = readFileSync(good, 'utf8');
  put('pinned', '2');
  const other = sha256sum(good);
  const kept = await fact('pinned', ({ reason }) => reason.includes('upgrade failed'));
  t.same([kept.state, kept.pid], ['running', before.pid], 'the one that runs goes on');
  t.match(
    kept.reason,
    new RegExp(`upgrade failed: its program has sha256 ${other}, and is pinned`),
  );
  t.match(kept.reason, `pinned to ${pin}`);
  await t.rejects(host.restart('pinned'), { code: 'plugin-failed', message: /is pinned to/ });
  t.equal((await fact('pinned', isRunning)).pid, before.pid, 'a restart does not end it either');

  process.kill(before.pid ?? NaN, 'SIGKILL');
  const down = await fact('pinned', ({ state }) => state === 'restarting');
  t.match(down.reason, /was ended by SIGKILL|is pinned to/);
  await fact('pinned', ({ reason }) => reason.includes(`is pinned to ${pin}`));
  t.same(pluginsOf(bench.runDir), [], 'and the wrong one is not started');
  folder.write('pinned', text);
  t.equal((await fact('pinned', isRunning)).sha256, pin);
  t.equal(host.set().length, 1);
});

t.test('a program that is still being written is not started', async (t) => {
  const { bench, folder, open } = await makeWorld(t);
  const { host, fact } = open();
  const file = join(folder.path, 'slow');
  writeFileSync(file, '#!/bin/sh\n');
  chmodSync(file, 0o755);
  for (let i = 0; i < 10; i++) {
    appendFileSync(file, `# ${i}\n`);
    await delay(150);
    await host.reconsider();
    await host.reconsider();
    t.same(host.set(), [], 'however often it is looked at');
  }
  appendFileSync(file, `exec ${bench.spec().command.join(' ')}\n`);
  t.equal((await fact('slow', isRunning)).restarts, 0);
});

t.test('the config changes under the host, and a restart is no failure', async (t) => {
  const { bench, open } = await makeWorld(t);
  let specs = [bench.spec()];
  const { host, fact, gone } = open(() => specs, {
    timings: { restart: { firstMs: 60_000, lastMs: 60_000 } },
  });
  const first = await fact('memory', isRunning);
  await host.restart('memory');
  const again = await fact('memory', (now) => isRunning(now) && now.pid !== first.pid);
  t.equal(again.reason, '');
  await t.rejects(host.restart('nobody'), { code: 'not-found' });

  specs = [bench.spec({ config: { level: 2 } }), bench.spec({ name: 'other' })];
  await host.reconsider();
  await fact('memory', (now) => isRunning(now) && now.pid !== again.pid);
  t.equal((await fact('other', isRunning)).source, 'config');
  specs = [bench.spec({ name: 'other', sha256: 'b'.repeat(64) })];
  await host.reconsider();
  await gone('memory');
  const kept = await fact('other', ({ reason }) => reason.includes('is pinned to'));
  t.equal(kept.state, 'running');
});
