/**
 * A file that is either the old or the new one, whole, also after power loss: temporary name, fsync, rename, fsync.
 * Only fsync goes to the thread pool: a trip there costs many times what the other calls take.
 */
import { closeSync, fsync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const sync = promisify(fsync);

/** Writes beside `file` first; the folder must exist. `mode` is that of the new file, 0600 unless told. */
export async function writeFileAtomic(
  file: string,
  data: string | Uint8Array,
  mode = 0o600,
): Promise<void> {
  const folder = dirname(file);
  const temporary = join(folder, `.${basename(file)}.${process.pid}.tmp`);
  try {
    await writeSynced(temporary, data, mode);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

async function writeSynced(file: string, data: string | Uint8Array, mode: number): Promise<void> {
  rmSync(file, { force: true });
  const fd = openSync(file, 'wx', mode);
  try {
    writeFileSync(fd, data);
    await sync(fd);
  } finally {
    closeSync(fd);
  }
}

async function syncFolder(folder: string): Promise<void> {
  const fd = openSync(folder, 'r');
  try {
    await sync(fd);
  } finally {
    closeSync(fd);
  }
}
