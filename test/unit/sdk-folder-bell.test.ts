/** What a bell tells of at once, and that nothing is waited for in vain. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FolderBell, type Pace } from '../../plugins/sdk/folder-bell.ts';

t.setTimeout(120_000);

/** Sooner than a look that comes by itself, also on a slow machine. */
const SOON_MS = 15_000;
const never = new AbortController().signal;

/** True when the wait ended long before the safety look. */
async function rings(
  bell: FolderBell,
  pace: Pace = 'seldom',
  news: () => boolean = () => false,
): Promise<boolean> {
  const began = performance.now();
  await bell.wait(never, { pace, news });
  return performance.now() - began < SOON_MS;
}

function bellOf(t: Test, folder: string): FolderBell {
  const bell = new FolderBell(folder);
  t.teardown(() => bell[Symbol.dispose]());
  bell.reset();
  return bell;
}

t.test('a new file, more in it and its end ring', async (t) => {
  const folder = t.testdir({});
  const bell = bellOf(t, folder);
  const file = join(folder, 'exit');
  for (const change of [
    () => writeFileSync(file, 'one'),
    () => writeFileSync(file, ' and more', { flag: 'a' }),
    () => renameSync(file, `${file}.new`),
    () => rmSync(`${file}.new`),
  ]) {
    const rung = rings(bell);
    change();
    t.equal(await rung, true);
    bell.reset();
  }
});

t.test('a ring between reset and wait is not missed', async (t) => {
  const bell = bellOf(t, t.testdir({}));
  bell.ring();
  t.equal(await rings(bell), true);
});

t.test('news that leave no trace in the folder wake within a second or so', async (t) => {
  const bell = bellOf(t, t.testdir({}));
  let asked = 0;
  t.equal(await rings(bell, 'seldom', () => ++asked > 1), true);
  t.equal(asked, 2);
});

t.test('a folder that is made anew is heard again', async (t) => {
  const folder = join(t.testdir({ run: { file: '' } }), 'run');
  const bell = bellOf(t, folder);
  const gone = rings(bell);
  rmSync(folder, { recursive: true });
  t.equal(await gone, true, 'its end rings');
  bell.reset();
  t.equal(await rings(bell), true, 'while there is none it is looked for');
  mkdirSync(folder);
  // What the old one has still to say is over by then.
  for (let rounds = 0; rounds < 4; rounds++) {
    bell.reset();
    await rings(bell, 'seldom', () => true);
  }
  bell.reset();
  const rung = rings(bell);
  writeFileSync(join(folder, 'exit'), 'new');
  t.equal(await rung, true, 'so is what is written to the next one');
});

t.test('a folder moved away with its parent is noticed by a look', async (t) => {
  const top = t.testdir({ execution: { 0: { file: '' } } });
  const folder = join(top, 'execution', '0');
  const bell = bellOf(t, folder);
  renameSync(join(top, 'execution'), join(top, 'elsewhere'));
  mkdirSync(folder, { recursive: true });
  await bell.wait(never, { pace: 'often' });
  bell.reset();
  const rung = rings(bell);
  writeFileSync(join(folder, 'exit'), 'new');
  t.equal(await rung, true);
});

t.test('where no watch is to be had, looks alone do it', async (t) => {
  const bell = bellOf(t, join(t.testdir({}), 'a name that no kernel takes '.repeat(200)));
  const began = performance.now();
  for (let looks = 0; looks < 5; looks++) {
    bell.reset();
    t.equal(await rings(bell), true);
  }
  t.ok(performance.now() - began < SOON_MS);
});

t.test('a wait ends with its signal', async (t) => {
  const bell = bellOf(t, t.testdir({}));
  const stop = new AbortController();
  const began = performance.now();
  const waiting = bell.wait(stop.signal, { pace: 'seldom' });
  stop.abort();
  await waiting;
  await bell.wait(stop.signal, { pace: 'seldom' });
  t.ok(performance.now() - began < SOON_MS);
});
