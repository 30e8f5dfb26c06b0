/** Folders whose names outlast a power loss. */
import { execFile } from 'node:child_process';
import {
  closeSync,
  constants,
  fsync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ignore } from './if-there.ts';

const sync = promisify(fsync);
/** So much is removed without giving way to others. */
const MOST_FLAT = 16;
const SMALL_BYTES = 2 ** 20;

/** Makes the names inside a folder durable. */
export function syncFolder(folder: string): Promise<void> {
  return syncPath(folder);
}

/** Makes what was written to a file durable, by whomever. Throws ENOENT. */
export function syncFile(file: string): Promise<void> {
  return syncPath(file);
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
  if (removeFlat(folder)) return;
  try {
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  } catch (thrown) {
    // Work can make folders deeper than a path is long; `rm` goes there step by step.
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENAMETOOLONG'))
      throw thrown;
    await promisify(execFile)('rm', ['-rf', '--', folder]);
  }
}

/** One of a few small files, as of most runs: `rm` takes a trip through the thread pool for each step. */
function removeFlat(folder: string): boolean {
  try {
    const paths = readdirSync(folder).map((name) => join(folder, name));
    if (paths.length > MOST_FLAT || !paths.every(isSmall)) return false;
    for (const path of paths) unlinkSync(path);
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}

function isSmall(path: string): boolean {
  const { size, mode } = lstatSync(path);
  return (mode & constants.S_IFMT) === constants.S_IFREG && size <= SMALL_BYTES;
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
