/**
 * A store on a full disk can still be read: LevelDB writes when it opens one, so a copy of the small files, with links to
 * the tables (which never change), is opened on a file system that has room. Nothing is ever written through it. Its lock
 * stands in for the lock of the store, which nobody can hold meanwhile.
 */
import { createHash } from 'node:crypto';
import { copyFile, lstat, mkdir, readdir, realpath, symlink } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import { removeFolder } from '../durable/folders.ts';
import { checkUnlocked } from './repair.ts';

const MEMORY = '/dev/shm';

/** Calls `open` on such a copy; answers what it made of it, and the folder to remove afterwards. Errors: `store-locked`. */
export async function openAside<T>(
  store: string,
  open: (folder: string) => Promise<T>,
): Promise<{ readonly opened: T; readonly folder: string }> {
  const name = `limpet-${userInfo().uid}-${await nameOf(store)}`;
  try {
    return await openIn(join(MEMORY, name), store, open);
  } catch (thrown) {
    if (thrown instanceof LimpetError && thrown.code === 'store-locked') throw thrown;
    return openIn(join(tmpdir(), name), store, open);
  }
}

async function openIn<T>(folder: string, store: string, open: (folder: string) => Promise<T>) {
  await clear(folder, store);
  try {
    await mkdir(folder, { mode: 0o700 });
    await fill(folder, await realpath(store));
    return { opened: await open(folder), folder };
  } catch (thrown) {
    await removeFolder(folder);
    throw thrown;
  }
}

/** What a killed program has left. Errors: `store-locked`, `forbidden`. */
async function clear(folder: string, store: string): Promise<void> {
  const stat = await lstat(folder).catch(() => undefined);
  if (stat === undefined) return;
  if (!stat.isDirectory() || stat.uid !== userInfo().uid)
    throw new LimpetError('forbidden', `${folder} is not a folder of this user; remove it`);
  try {
    await checkUnlocked(folder);
  } catch (thrown) {
    throw new LimpetError(
      'store-locked',
      `the store in ${store} is in use by another process; stop that one, or use another data folder`,
      { cause: thrown },
    );
  }
  await removeFolder(folder);
}

async function fill(folder: string, store: string): Promise<void> {
  for (const name of await readdir(store)) {
    if (/^\d+\.(ldb|sst)$/.test(name)) await symlink(join(store, name), join(folder, name));
    else if (/^(CURRENT|MANIFEST-\d+|\d+\.log)$/.test(name))
      await copyFile(join(store, name), join(folder, name));
  }
}

/** The same for every way to write its path. */
async function nameOf(store: string): Promise<string> {
  return createHash('sha256')
    .update(await realpath(store))
    .digest('hex')
    .slice(0, 16);
}
