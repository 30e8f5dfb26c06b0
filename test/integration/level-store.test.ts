/** What only a real LevelDB on a real disk can show. */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openStore } from '../../adapters/store/level-store.ts';
import type { Store } from '../../adapters/store/port.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(120_000);

const open = (folder: string, createIfMissing = true): Promise<Store> =>
  openStore({ folder, createIfMissing, schemaVersion: 1 });

t.test('a store that should be there and is not is missing, and none is made', async (t) => {
  const folder = join(tempDir(t), 'db');
  await t.rejects(open(folder, false), { code: 'store-missing', message: new RegExp(folder) });
  t.throws(() => readdirSync(folder), { code: 'ENOENT' });
  await (await open(folder))[Symbol.asyncDispose]();
  await (await open(folder, false))[Symbol.asyncDispose]();
});

const recordFiles = (folder: string) => readdirSync(folder).filter((name) => /^\d/.test(name));

t.test('a store without its CURRENT file is damaged, never silently new', async (t) => {
  for (const bytes of [10, 6_000_000]) {
    const folder = join(tempDir(t), 'db');
    const store = await open(folder);
    const value = randomBytes(bytes / 2).toString('hex');
    await store.batch([{ type: 'put', key: 'a', value }]);
    await store[Symbol.asyncDispose]();
    rmSync(join(folder, 'CURRENT'));
    const files = recordFiles(folder);
    t.not(files.length, 0);
    await t.rejects(open(folder), { code: 'store-corrupt', message: /CURRENT/ }, `${bytes} bytes`);
    t.same(recordFiles(folder), files);
  }
});

t.test('the second opener of a store is told which folder and what to do', async (t) => {
  const folder = join(tempDir(t), 'db');
  await using first = await open(folder);
  const expected = { code: 'store-locked', message: new RegExp(`${folder} .*stop that one`) };
  await t.rejects(open(folder), expected);
  await first.batch([{ type: 'put', key: 'a', value: 1 }]);
  t.equal(await first.get('a'), 1);
});

t.test('a missing MANIFEST is damage with a message for people', async (t) => {
  const folder = join(tempDir(t), 'db');
  await (await open(folder))[Symbol.asyncDispose]();
  for (const name of readdirSync(folder).filter((file) => file.startsWith('MANIFEST')))
    rmSync(join(folder, name));
  await t.rejects(open(folder), { code: /^store-(corrupt|failed)$/, message: new RegExp(folder) });
});

/** A disk of its own for one test, and a process that stays. */
function smallDisk(t: Test): string {
  const disk = join(tempDir(t), 'disk');
  t.equal(mountSmall(disk), true);
  t.teardown(() => spawnSync('umount', ['-l', disk]));
  // The clock's timers keep no process alive; an agent has its sockets for that.
  const alive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(alive));
  return disk;
}

t.test(
  'a full disk rejects, reads go on, and what is written later is there to stay',
  { skip: mountable() ? false : 'this user may not mount a tmpfs' },
  async (t) => {
    const disk = smallDisk(t);
    const store = await open(join(disk, 'db'));
    await store.batch([{ type: 'put', key: 'before', value: 1 }]);
    const ballast = join(disk, 'ballast');
    spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=64k'], { timeout: 20_000 });
    const value = randomBytes(50_000).toString('hex');
    const full = await Promise.allSettled(
      ['a', 'b'].map((key) => store.batch([{ type: 'put', key, value }])),
    );
    for (const result of full)
      t.match(result, {
        status: 'rejected',
        reason: { code: 'store-failed', message: /[Nn]o space/ },
      });
    t.equal(await store.get('before'), 1);
    rmSync(ballast);
    // Through the failed handle these would be accepted and lost: they would follow a torn record in the log.
    for (const key of ['after/1', 'after/2', 'after/3'])
      await store.batch([{ type: 'put', key, value: 'x'.repeat(5000) }]);
    await store[Symbol.asyncDispose]();
    await using again = await open(join(disk, 'db'));
    t.equal(await again.get('before'), 1);
    t.equal((await again.scan({ prefix: 'after/' })).entries.length, 3);
  },
);

t.test(
  'a store on a disk that is full already is read, and written as soon as there is room',
  { skip: mountable() ? false : 'this user may not mount a tmpfs' },
  async (t) => {
    const disk = smallDisk(t);
    const folder = join(disk, 'db');
    const made = await open(folder);
    for (let i = 0; i < 40; i++)
      await made.batch([{ type: 'put', key: `k/${i}`, value: randomBytes(5000).toString('hex') }]);
    await made[Symbol.asyncDispose]();
    const files = recordFiles(folder);
    const ballast = join(disk, 'ballast');
    for (const block of ['64k', '1k'])
      spawnSync('dd', ['if=/dev/zero', `of=${ballast}.${block}`, `bs=${block}`]);
    await t.rejects(open(folder), { code: 'store-failed', message: /[Nn]o space/ });

    const reading = { folder, createIfMissing: false, schemaVersion: 1, readWhenFull: true };
    const store = await openStore(reading);
    t.match(store.failing, /[Nn]o space/);
    t.equal((await store.scan({ prefix: 'k/' })).entries.length, 40);
    await t.rejects(store.batch([{ type: 'del', key: 'k/0' }]), { code: 'store-failed' });
    t.equal((await store.scan({ prefix: 'k/' })).entries.length, 40, 'still');
    await t.rejects(openStore(reading), { code: 'store-locked', message: new RegExp(folder) });
    t.same(recordFiles(folder), files, 'the files are as they were');
    t.equal(isAside(folder), true);

    for (const block of ['64k', '1k']) rmSync(`${ballast}.${block}`);
    await store.batch([{ type: 'del', key: 'k/0' }]);
    t.equal(store.failing, undefined);
    t.equal((await store.scan({ prefix: 'k/' })).entries.length, 39);
    t.equal(isAside(folder), false, 'nothing is left of the copy');
    await store[Symbol.asyncDispose]();
    await using again = await open(folder);
    t.equal((await again.scan({ prefix: 'k/' })).entries.length, 39);
  },
);

function isAside(store: string): boolean {
  const path = createHash('sha256').update(realpathSync(store)).digest('hex');
  return ['/dev/shm', tmpdir()].some((folder) =>
    existsSync(join(folder, `limpet-${process.getuid?.()}-${path.slice(0, 16)}`)),
  );
}

function mountSmall(folder: string): boolean {
  mkdirSync(folder);
  const options = ['-t', 'tmpfs', '-o', 'size=2m', 'limpet-test', folder];
  return spawnSync('mount', options).status === 0;
}

function mountable(): boolean {
  const folder = join(tempDir(t), 'probe');
  const mounted = mountSmall(folder);
  if (mounted) spawnSync('umount', ['-l', folder]);
  return mounted;
}
