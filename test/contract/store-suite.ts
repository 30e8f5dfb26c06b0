/** What every store keeps, whatever holds it. */
import type { Test } from 'tap';
import type { Store } from '../../adapters/store/port.ts';
import { LimpetError } from '../../core/errors.ts';

export interface StoreUnderTest {
  /** Opens the same records again; the store before is closed first. */
  open(schemaVersion?: number): Promise<Store>;
  /** Changes one byte of a stored value while no store is open. */
  damage(key: string): Promise<void>;
}

export function testStore(t: Test, make: (t: Test) => StoreUnderTest): void {
  t.test('gives back what was put, and undefined for what was not', async (t) => {
    await using store = await make(t).open();
    const value = { text: 'häh \u{1f41a}', list: [1, null, { deep: true }], empty: '' };
    await store.batch([{ type: 'put', key: 'ex/1', value }]);
    t.same(await store.get('ex/1'), value);
    t.equal(await store.get('ex/2'), undefined);
  });

  t.test('applies a batch in order, the last write of a key wins', async (t) => {
    await using store = await make(t).open();
    await store.batch([
      { type: 'put', key: 'a', value: 1 },
      { type: 'put', key: 'b', value: 1 },
      { type: 'del', key: 'a' },
      { type: 'put', key: 'b', value: 2 },
    ]);
    t.equal(await store.get('a'), undefined);
    t.equal(await store.get('b'), 2);
  });

  t.test('keeps the order of batches that were handed in together', async (t) => {
    await using store = await make(t).open();
    const numbers = Array.from({ length: 200 }, (_, index) => index);
    await Promise.all(numbers.map((value) => store.batch([{ type: 'put', key: 'last', value }])));
    t.equal(await store.get('last'), 199);
  });

  t.test('stores the value as it was at the call', async (t) => {
    await using store = await make(t).open();
    const value = { count: 1 };
    const done = store.batch([{ type: 'put', key: 'a', value }]);
    value.count = 2;
    await done;
    t.same(await store.get('a'), { count: 1 });
  });

  t.test('refuses what JSON cannot hold, and writes nothing of that batch', async (t) => {
    await using store = await make(t).open();
    const bad = store.batch([
      { type: 'put', key: 'good', value: 1 },
      { type: 'put', key: 'bad', value: undefined },
    ]);
    await t.rejects(bad, { code: 'internal', message: /'bad'/ });
    t.equal(await store.get('good'), undefined);
  });

  testScan(t, make);
  testDamage(t, make);
  testLifetime(t, make);
}

function testScan(t: Test, make: (t: Test) => StoreUnderTest): void {
  t.test('scans by prefix in the order of UTF-8, forwards and backwards, in pages', async (t) => {
    await using store = await make(t).open();
    const keys = ['ex/a', 'ex/b', 'ex/c', 'ex/\uffee', 'ex/\u{1f41a}', 'ev/z', 'ex', 'ex0', 'ey/a'];
    await store.batch(keys.map((key) => ({ type: 'put', key, value: key })));
    const scan = async (range: Omit<Parameters<Store['scan']>[0], 'prefix'>): Promise<string[]> =>
      (await store.scan({ prefix: 'ex/', ...range })).entries.map((entry) => entry.key);
    const all = ['ex/a', 'ex/b', 'ex/c', 'ex/\uffee', 'ex/\u{1f41a}'];
    t.same(await scan({}), all);
    t.same(await scan({ reverse: true }), all.toReversed());
    t.same(await scan({ limit: 2 }), ['ex/a', 'ex/b']);
    t.same(await scan({ after: 'ex/b', limit: 2 }), ['ex/c', 'ex/\uffee']);
    t.same(await scan({ after: 'ex/b', limit: 1, reverse: true }), ['ex/\u{1f41a}']);
    t.same(await scan({ after: 'ex/b', reverse: true }), all.slice(2).toReversed());
    t.same(await scan({ after: 'a' }), all);
    t.same(await scan({ after: 'ey' }), []);
    t.same(await scan({ limit: 0 }), []);
  });
}

function testDamage(t: Test, make: (t: Test) => StoreUnderTest): void {
  t.test('reports a damaged record, gives the rest, and quarantines on demand', async (t) => {
    const subject = make(t);
    const before = await subject.open();
    await before.batch(
      ['ex/1', 'ex/2', 'ex/3'].map((key) => ({ type: 'put', key, value: { key } })),
    );
    await before[Symbol.asyncDispose]();
    await subject.damage('ex/2');

    await using store = await subject.open();
    await t.rejects(store.get('ex/2'), { code: 'store-corrupt', message: /'ex\/2'.*checksum/ });
    const found = await store.scan({ prefix: 'ex/', limit: 2 });
    t.same(
      found.entries.map((entry) => entry.key),
      ['ex/1', 'ex/3'],
      'a damaged record takes no place in the page',
    );
    const [corrupt, ...others] = found.corrupt;
    t.same(others, []);
    if (corrupt === undefined) return t.fail('the damaged record was not reported');
    t.equal(corrupt.key, 'ex/2');
    await store.quarantine(corrupt);
    t.equal(await store.get('ex/2'), undefined);
    t.match(await store.get('quarantine/ex/2'), { raw: corrupt.raw, reason: /checksum/ });
    t.same((await store.scan({ prefix: 'ex/' })).corrupt, []);
  });
}

function testLifetime(t: Test, make: (t: Test) => StoreUnderTest): void {
  t.test('finds everything again when it is opened again', async (t) => {
    const subject = make(t);
    const before = await subject.open();
    await before.batch([{ type: 'put', key: 'a', value: 1 }]);
    await before[Symbol.asyncDispose]();
    await before[Symbol.asyncDispose]();
    await using store = await subject.open();
    t.equal(await store.get('a'), 1);
  });

  t.test('writes what was handed in before the close, and nothing after', async (t) => {
    const subject = make(t);
    const before = await subject.open();
    const accepted = before.batch([{ type: 'put', key: 'a', value: 1 }]);
    const closed = before[Symbol.asyncDispose]();
    await t.rejects(before.batch([{ type: 'put', key: 'b', value: 1 }]), { code: 'store-failed' });
    await Promise.all([accepted, closed]);
    await using store = await subject.open();
    t.equal(await store.get('a'), 1);
    t.equal(await store.get('b'), undefined);
  });

  t.test('takes over an older schema and refuses a newer one', async (t) => {
    const subject = make(t);
    await (await subject.open(1))[Symbol.asyncDispose]();
    await (await subject.open(2))[Symbol.asyncDispose]();
    const error = await subject.open(1).then(
      () => undefined,
      (thrown: unknown) => LimpetError.from(thrown),
    );
    t.equal(error?.code, 'version-mismatch');
    t.match(error?.message, /version 2.*knows 1/);
    await using store = await subject.open(2);
    t.same(await store.get('meta/schema'), { version: 2 });
  });
}
