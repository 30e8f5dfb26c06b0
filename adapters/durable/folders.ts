/** Folders whose names outlast a power loss. */
import { closeSync, fsync, mkdirSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ignore } from './if-there.ts';

const sync = promisify(fsync);

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
