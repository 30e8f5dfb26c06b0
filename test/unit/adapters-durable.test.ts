import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { writeDurably } from '../../adapters/durable/write-durably.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.test('an durable write replaces the file and its mode whole', async (t) => {
  const file = join(tempDir(t), 'a.txt');
  writeFileSync(file, 'old');
  chmodSync(file, 0o644);
  await writeDurably(file, 'new');
  t.equal(readFileSync(file, 'utf8'), 'new');
  t.equal(statSync(file).mode & 0o777, 0o600);
  await writeDurably(file, 'newer', { mode: 0o644 });
  t.equal(statSync(file).mode & 0o777, 0o644);
});

t.test('an durable write that fails leaves the old and no temporary file', async (t) => {
  const folder = tempDir(t);
  mkdirSync(join(folder, 'target'));
  writeFileSync(join(folder, 'target', 'x'), '');
  await t.rejects(writeDurably(join(folder, 'target'), 'new'));
  t.same(readdirSync(folder), ['target']);
});
