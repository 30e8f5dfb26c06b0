/** The archive of published results, as its reader unpacks it. */
import { randomBytes } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar';
import t, { type Test } from 'tap';
import { agentFolders } from '../../agent/executions/folders.ts';
import { resultArchive } from '../../agent/executions/results.ts';
import { eventually } from '../kit/eventually.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(60_000);

const FOLDERS = 20;

t.test('a file with a name in each of many folders comes out as one file', async (t) => {
  const folders = agentFolders(tempDir(t));
  const results = join(folders.results, 'e-1');
  const nameOf = (folder: number) => join(`d${folder}`, 'shared');
  for (let i = 0; i < FOLDERS; i += 1) {
    mkdirSync(join(results, `d${i}`), { recursive: true });
    writeFileSync(join(results, `d${i}`, 'own'), String(i));
    if (i === 0) writeFileSync(join(results, nameOf(0)), 'shared');
    else linkSync(join(results, nameOf(0)), join(results, nameOf(i)));
  }
  const into = tempDir(t);
  const archive = await resultArchive(folders, 'e-1');
  const whole = archive(new AbortController().signal);
  await pipeline(Readable.from(whole), extract({ cwd: into }));
  const { ino } = statSync(join(into, nameOf(0)));
  for (let i = 0; i < FOLDERS; i += 1) {
    t.equal(readFileSync(join(into, `d${i}`, 'own'), 'utf8'), String(i));
    t.equal(readFileSync(join(into, nameOf(i)), 'utf8'), 'shared');
    t.equal(statSync(join(into, nameOf(i))).ino, ino);
  }
});

t.test('a reader that leaves in the middle leaves no file open', async (t) => {
  const { results, archive } = await twoLargeFiles(t);
  const leaving = new AbortController();
  const reading = archive(leaving.signal)[Symbol.asyncIterator]();
  await eventually(
    'a file to be read',
    async () => {
      await reading.next();
      return openBelow(results).length > 0;
    },
    20_000,
  );
  leaving.abort();
  await reading.return?.();
  await eventually('it to be closed', () => openBelow(results).length === 0, 20_000);
});

t.test('a file that goes away in the middle fails the archive', async (t) => {
  const { results, archive } = await twoLargeFiles(t);
  const reading = archive(new AbortController().signal)[Symbol.asyncIterator]();
  await reading.next();
  rmSync(join(results, 'b'));
  const rest = async (): Promise<void> => {
    for (let done = false; done !== true;) ({ done = false } = await reading.next());
  };
  await t.rejects(rest(), /ENOENT/);
  t.strictSame(openBelow(results), []);
});

async function twoLargeFiles(t: Test) {
  const folders = agentFolders(tempDir(t));
  const results = join(folders.results, 'e-1');
  mkdirSync(results, { recursive: true });
  // More than tar reads at once: it stays open until the reader has taken the first part.
  for (const name of ['a', 'b']) writeFileSync(join(results, name), randomBytes(20 * 1024 * 1024));
  return { results, archive: await resultArchive(folders, 'e-1') };
}

function openBelow(folder: string): string[] {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(join('/proc/self/fd', fd)).startsWith(folder);
    } catch {
      return false;
    }
  });
}
