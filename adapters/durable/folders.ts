/** Folders whose names outlast a power loss. */
import { execFile } from 'node:child_process';
import { closeSync, fsync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ignore } from './if-there.ts';

const sync = promisify(fsync);

/** Makes the names inside a folder durable. */
export function syncFolder(folder: string): Promise<void> {
  return syncPath(folder);
}

async function syncPath(path: string): Promise<void> {
  const fd = openSync(path, 'r');
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
  try {
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  } catch (thrown) {
    // Work can make folders deeper than a path is long; `rm` goes there step by step.
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENAMETOOLONG'))
      throw thrown;
    await promisify(execFile)('rm', ['-rf', '--', folder]);
  }
}

/** Makes a folder and all that is in it durable. */
export async function syncTree(folder: string): Promise<void> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await syncPath(path);
  }
  await syncFolder(folder);
}
