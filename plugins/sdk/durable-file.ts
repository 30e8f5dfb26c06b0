/**
 * Files that are whole or not there at all after any crash, power loss included.
 *
 * Names and small texts are handled by synchronous calls: each costs some microseconds, a trip through the thread pool
 * many times that, and a run has dozens of them. Only fsync, which may take as long as the disk likes, goes to the pool.
 */
import {
  closeSync,
  fsync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const sync = promisify(fsync);

/** Writes to a temporary name, fsyncs, renames, fsyncs the folder, and with it the `parents` that got a new name. */
export async function writeDurably(
  file: string,
  text: string,
  parents: readonly string[] = [],
): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  const fd = openSync(temporary, 'w', 0o600);
  try {
    writeFileSync(fd, text);
    await sync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, file);
  await Promise.all([dirname(file), ...parents].map(syncFolder));
}

/** Makes the names inside a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const fd = openSync(folder, 'r');
  try {
    await sync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes `root/a/b` below an existing `root`; `parents` are the folders that have a new name in them, not yet durable. */
export function makeFolders(
  root: string,
  ...names: readonly string[]
): { readonly folder: string; readonly parents: readonly string[] } {
  const parents: string[] = [];
  let folder = root;
  for (const name of names) {
    const parent = folder;
    folder = join(parent, name);
    try {
      mkdirSync(folder, { mode: 0o700 });
      parents.push(parent);
    } catch (thrown) {
      ignore('EEXIST', undefined)(thrown);
    }
  }
  return { folder, parents };
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/** undefined when there is no such file. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    return ignore('ENOENT', undefined)(thrown);
  }
}

/** A catch handler that turns one errno code into a value and throws everything else on. */
export function ignore<T>(code: string, value: T): (thrown: unknown) => T {
  return (thrown) => {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === code) return value;
    throw thrown;
  };
}
