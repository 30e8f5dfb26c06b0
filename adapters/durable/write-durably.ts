/**
 * A file that is either the old or the new one, whole, also after power loss: temporary name, fsync, rename, fsync.
 *
 * Names and small texts are handled by synchronous calls: each costs some microseconds, a trip through the thread pool
 * many times that, and a run has dozens of them. Only fsync, which may take as long as the disk likes, goes to the pool.
 */
import { closeSync, fchownSync, fsync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { syncFolder } from './folders.ts';
import { ignore } from './if-there.ts';

const sync = promisify(fsync);

export interface WriteOptions {
  /** Of the new file; 0600 unless told. */
  readonly mode?: number;
  /** Of the new file; who writes it unless told. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Folders further up that got a new name: made durable with the file's own. */
  readonly parents?: readonly string[];
}

/** Writes beside `file` first; its folder must exist. */
export async function writeDurably(
  file: string,
  data: string | Uint8Array,
  { mode = 0o600, owner, parents = [] }: WriteOptions = {},
): Promise<void> {
  const folder = dirname(file);
  const temporary = join(folder, `.${basename(file)}.${process.pid}.tmp`);
  try {
    await writeSynced(temporary, data, { mode, owner });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  await Promise.all([folder, ...parents].map(syncFolder));
}

/** One that is there was left by a crash. */
function openNew(file: string, mode: number): number {
  try {
    return openSync(file, 'wx', mode);
  } catch (thrown) {
    ignore('EEXIST', undefined)(thrown);
    rmSync(file, { force: true });
    return openSync(file, 'wx', mode);
  }
}

async function writeSynced(
  file: string,
  data: string | Uint8Array,
  { mode, owner }: { readonly mode: number; readonly owner: WriteOptions['owner'] | undefined },
): Promise<void> {
  const fd = openNew(file, mode);
  try {
    if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
    writeFileSync(fd, data);
    await sync(fd);
  } finally {
    closeSync(fd);
  }
}
