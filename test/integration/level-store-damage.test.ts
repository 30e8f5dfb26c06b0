/** A store that was damaged on disk opens again: with a copy beside it, with what could be read, and with a report. */
import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Level } from 'level';
import t, { type Test } from 'tap';
import { systemClock } from '../../adapters/clock/system-clock.ts';
import { firstUnreadable, openDurable, type Opened } from '../../adapters/store/open-durable.ts';
import { openStore } from '../../adapters/store/level-store.ts';
import { damageReports } from '../../adapters/store/set-aside.ts';
import { tempDir } from '../kit/temp-dir.ts';

const RECORDS = 3_000;
const keyOf = (i: number): string => `ex/${String(i).padStart(6, '0')}`;
const clock = systemClock();

const open = (folder: string, expected = true): Promise<Opened> =>
  openDurable(
    {
      folder,
      expected,
      schemaVersion: 1,
      probe: async (store) => {
        await store.scan({ prefix: 'ex/' });
        return firstUnreadable(store, ['meta/']);
      },
    },
    clock,
  );

/** Two thirds in tables, one third in the log, as after a kill. */
async function filled(t: Test): Promise<string> {
  const folder = join(tempDir(t), 'store');
  for (const part of [0, 1, 2]) {
    const store = await openStore({ folder, createIfMissing: part === 0, schemaVersion: 1 });
    const from = (part * RECORDS) / 3;
    await store.batch(
      Array.from({ length: RECORDS / 3 }, (_, i) => ({
        type: 'put' as const,
        key: keyOf(from + i),
        value: { i: from + i, text: `${Math.random()}`.repeat(12) },
      })),
    );
    for (let i = 0; i < 20; i++)
      await store.batch([{ type: 'put', key: keyOf(from + i), value: { i: from + i, again: i } }]);
    await store[Symbol.asyncDispose]();
  }
  return folder;
}

const fileOf = (folder: string, pattern: RegExp): string => {
  const [largest] = readdirSync(folder)
    .filter((name) => pattern.test(name))
    .sort((a, b) => statSync(join(folder, b)).size - statSync(join(folder, a)).size);
  if (largest === undefined) throw new Error(`no ${pattern.source} in ${folder}`);
  return join(folder, largest);
};

function hasNumber(value: unknown, i: number): boolean {
  return typeof value === 'object' && value !== null && 'i' in value && value.i === i;
}

function garble(file: string, at: number): void {
  writeSync(openSync(file, 'r+'), Buffer.alloc(64, 0xab), 0, 64, at);
}

interface Case {
  readonly damage: (folder: string) => void;
  /** How many of the records are there afterwards, at least. */
  readonly kept: number;
  readonly found: RegExp;
  /** LevelDB opens it and has moved its log into a table before a read fails. */
  readonly opens?: true;
}

const CASES: Readonly<Record<string, Case>> = {
  'a missing CURRENT': {
    damage: (folder) => rmSync(join(folder, 'CURRENT')),
    kept: RECORDS,
    found: /no CURRENT/,
  },
  'an empty CURRENT': {
    damage: (folder) => writeFileSync(join(folder, 'CURRENT'), ''),
    kept: RECORDS,
    found: /CURRENT/,
  },
  'a missing MANIFEST': {
    damage: (folder) => rmSync(fileOf(folder, /^MANIFEST/)),
    kept: RECORDS,
    found: /MANIFEST.*No such file/,
  },
  'an empty MANIFEST': {
    damage: (folder) => writeFileSync(fileOf(folder, /^MANIFEST/), ''),
    kept: RECORDS,
    found: /descriptor/,
  },
  'garbage in the log': {
    damage: (folder) => garble(fileOf(folder, /\.log$/), 40_000),
    kept: (RECORDS * 2) / 3,
    found: /\.log has a record with a wrong checksum at byte \d+/,
  },
  'a missing table': {
    damage: (folder) => rmSync(fileOf(folder, /\.ldb$/)),
    kept: RECORDS / 3,
    found: /missing files/,
  },
  'a truncated table': {
    damage: (folder) => {
      const table = fileOf(folder, /\.ldb$/);
      truncateSync(table, statSync(table).size - 600);
    },
    kept: RECORDS / 3,
    found: /Invalid argument/,
    opens: true,
  },
  'garbage in a table': {
    damage: (folder) => garble(fileOf(folder, /\.ldb$/), 20_000),
    kept: RECORDS - 200,
    found: /corrupt/i,
    opens: true,
  },
};

for (const [name, { damage, kept, found, opens = false }] of Object.entries(CASES))
  t.test(`a store with ${name} opens again, and says so`, async (t) => {
    const folder = await filled(t);
    damage(folder);
    const before = new Map(
      readdirSync(folder).map((file) => [file, readFileSync(join(folder, file))]),
    );
    const { store, damage: report } = await open(folder);
    const { entries, corrupt } = await store.scan({ prefix: 'ex/' });
    t.same(corrupt, []);
    t.ok(entries.length >= kept, `${entries.length} of ${RECORDS}`);
    t.ok(entries.every(({ key, value }) => hasNumber(value, Number(key.slice(3)))));
    await store.batch([{ type: 'put', key: 'after', value: 1 }]);
    await store[Symbol.asyncDispose]();

    t.match(report, { found, done: 'repaired' });
    const copy = report?.copy ?? '';
    for (const [file, bytes] of before)
      if (opens ? file.endsWith('.ldb') : !/^LO/.test(file))
        t.same(readFileSync(join(copy, file)), bytes, `${file} is copied`);
    t.notOk(existsSync(`${folder}.repairing`));
    const again = await open(folder);
    t.equal(again.damage, undefined, 'once is enough');
    t.equal(await again.store.get('after'), 1);
    await again.store[Symbol.asyncDispose]();
    t.match(await damageReports(folder), [{ found, copy }], 'shown until the copy is deleted');
  });

t.test('a torn end of the log is what a crash leaves, and no damage', async (t) => {
  const folder = await filled(t);
  const log = fileOf(folder, /\.log$/);
  truncateSync(log, statSync(log).size - 3);
  const { store, damage } = await open(folder);
  t.equal(damage, undefined);
  t.equal((await store.scan({ prefix: 'ex/' })).entries.length, RECORDS);
  await store[Symbol.asyncDispose]();
});

t.test('records with a wrong checksum are named, and kept in the quarantine', async (t) => {
  const folder = await filled(t);
  const db = new Level(folder, { createIfMissing: false });
  await db.put(keyOf(7), '00000000{"i":7}', { sync: true });
  await db.close();
  rmSync(fileOf(folder, /^MANIFEST/));
  const { store, damage } = await open(folder);
  t.same(damage?.unreadable, [keyOf(7)]);
  t.match(await store.get(`quarantine/${keyOf(7)}`), { raw: '00000000{"i":7}' });
  await store[Symbol.asyncDispose]();
});

t.test('what cannot be repaired is kept aside, and a new store begins', async (t) => {
  const folder = await filled(t);
  rmSync(join(folder, 'CURRENT'));
  mkdirSync(join(folder, 'CURRENT'));
  const { store, damage } = await open(folder);
  t.match(damage, { done: /could not be repaired.*begun anew/ });
  t.same((await store.scan({ prefix: 'ex/' })).entries, []);
  await store[Symbol.asyncDispose]();
  t.ok(readdirSync(damage?.copy ?? '').some((file) => file.endsWith('.ldb')));
});

t.test('a store that should be there and is gone is begun anew, with a report', async (t) => {
  const folder = join(tempDir(t), 'store');
  const { store, damage } = await open(folder);
  await store[Symbol.asyncDispose]();
  t.match(damage, { found: /no store in .*though there was one/, done: 'begun anew' });
  const first = join(tempDir(t), 'store');
  const fresh = await open(first, false);
  await fresh.store[Symbol.asyncDispose]();
  t.equal(fresh.damage, undefined, 'a first start is none');
  t.same(await damageReports(first), []);
});

t.test('a store that another program has is left alone, whatever it looks like', async (t) => {
  const folder = await filled(t);
  const { store } = await open(folder);
  await store.batch([{ type: 'put', key: 'mine', value: 1 }]);
  rmSync(join(folder, 'CURRENT'));
  await t.rejects(open(folder), { code: 'store-locked' });
  t.same(await damageReports(folder), [], 'no copy');
  await store[Symbol.asyncDispose]();
});

t.test('a store of a newer program is refused, and stays as it is', async (t) => {
  const folder = await filled(t);
  const newer = await openStore({ folder, createIfMissing: false, schemaVersion: 2 });
  await newer[Symbol.asyncDispose]();
  await t.rejects(open(folder), { code: 'version-mismatch', message: /version 2.*knows 1/ });
  t.same(await damageReports(folder), []);
});

t.test('the newest three copies are kept', async (t) => {
  const folder = await filled(t);
  const copies: string[] = [];
  for (let i = 0; i < 5; i++) {
    writeFileSync(join(folder, 'CURRENT'), '');
    const { store, damage } = await open(folder);
    await store[Symbol.asyncDispose]();
    copies.push(damage?.copy ?? '');
  }
  t.same(
    (await damageReports(folder)).map(({ copy }) => copy),
    copies.slice(-3),
  );
});
