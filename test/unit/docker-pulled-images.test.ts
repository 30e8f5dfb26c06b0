import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PulledImages } from '../../executors/docker/pulled-images.ts';
import { eventually } from '../kit/eventually.ts';
import { tempDir } from '../kit/temp-dir.ts';

const IMAGE = { id: 'sha256:a', parent: '', names: ['a:1'], bytes: 1 };

function opened(folder: string, keepUnusedMs = 1) {
  const told: string[] = [];
  const tell = (message: string) => void told.push(message);
  const log = { debug: tell, info: tell, warn: tell, error: tell };
  return { images: new PulledImages({ folder, log, keepUnusedMs }), told };
}

async function withDue(folder: string) {
  const { images } = opened(folder);
  await images.add({ engine: 'e', image: IMAGE, before: [] });
  const entry = await eventually('it to be due', () => images.of('e').find((i) => images.isDue(i)));
  return { images, entry };
}

void t.test('an image belongs to the engine that it was pulled to', async (t) => {
  const folder = tempDir(t);
  await opened(folder).images.add({ engine: 'e', image: IMAGE, before: [] });
  const { images } = opened(folder);
  t.same(
    images.of('e').map(({ id }) => id),
    [IMAGE.id],
  );
  t.strictSame(images.of('other'), []);
});

void t.test('names that were there before a pull are not ours', async (t) => {
  const { images } = opened(tempDir(t));
  await images.add({ engine: 'e', image: IMAGE, before: [IMAGE] });
  t.strictSame(images.of('e'), [], 'all of it was there');
  await images.add({ engine: 'e', image: IMAGE, before: [] });
  const tagged = { ...IMAGE, names: ['a:1', 'kept:1'] };
  const pulled = { ...IMAGE, names: ['a:1', 'b:1', 'kept:1'] };
  await images.add({ engine: 'e', image: pulled, before: [tagged] });
  t.strictSame(images.of('e')[0]?.names, ['a:1', 'b:1']);
});

void t.test('an image that a run takes just before its removal is not removed', async (t) => {
  const { images, entry } = await withDue(tempDir(t));
  const kept = opened(tempDir(t), 60_000).images;
  await kept.add({ engine: 'e', image: IMAGE, before: [] });
  let removed = 0;
  const remove = () => Promise.resolve(void (removed += 1));
  await kept.remove(entry, remove);
  t.equal(removed, 0, 'used within the limit');
  await images.remove(entry, remove);
  t.equal(removed, 1);
});

void t.test('while it is being removed, a run waits for the end', async (t) => {
  const { images, entry } = await withDue(tempDir(t));
  let end = () => {};
  const removal = images.remove(entry, () => new Promise((resolve) => (end = resolve)));
  const leaving = images.leaving(IMAGE.id);
  t.not(leaving, undefined);
  end();
  await leaving;
  t.equal(images.leaving(IMAGE.id), undefined);
  await removal;
  const refused = images.remove(entry, () => Promise.reject(new Error('engine gone')));
  await images.leaving(IMAGE.id);
  await t.rejects(refused, { message: 'engine gone' });
  t.equal(images.leaving(IMAGE.id), undefined, 'also when it fails');
});

void t.test('a damaged record is told and begun anew as empty', async (t) => {
  const folder = tempDir(t);
  const file = join(folder, 'pulled-images.json');
  for (const text of ['{"version":1,"images":[{"id"', '{"version":9}', '']) {
    writeFileSync(file, text);
    const { images, told } = opened(folder);
    t.strictSame(images.of('e'), []);
    t.strictSame(told, ['images.record-damaged']);
  }
  await opened(folder).images.add({ engine: 'e', image: IMAGE, before: [] });
  t.match(readFileSync(file, 'utf8'), /"id":"sha256:a"/);
});

void t.test('a record that cannot be written is told and stops nobody', async (t) => {
  const { images, told } = opened(join(tempDir(t), 'missing'));
  await images.add({ engine: 'e', image: IMAGE, before: [] });
  t.strictSame(told, ['images.record-not-written']);
});
