/** `limpet agent logs`: of `limpet dev` here; the journal needs a real systemd. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDist } from '../kit/program.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.test('the newest lines, and those that come', async (t) => {
  const folder = tempDir(t);
  const data = join(folder, 'agent');
  const log = join(folder, 'dev.log');
  mkdirSync(data);
  const args = ['agent', 'logs', '--data', data];
  const none = await startDist(t, 'limpet', { args });
  t.equal((await none.waitForExit(20_000)).code, 1);
  t.match(none.stderr, /its log is the stderr of whoever started it/);

  writeFileSync(log, 'one\ntwo\nthree\n');
  const newest = await startDist(t, 'limpet', { args: [...args, '-n', '2'] });
  t.equal((await newest.waitForExit(20_000)).code, 0);
  t.equal(newest.stdout, 'two\nthree\n');

  const following = await startDist(t, 'limpet', { args: [...args, '-f', '-n', '1'] });
  await following.waitFor(/^three\n/, 20_000);
  appendFileSync(log, 'four\n');
  await following.waitFor(/^three\nfour\n/, 20_000);
  await following.kill('SIGINT');
});
