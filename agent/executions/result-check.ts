/**
 * What a run has left in its result paths, before it is published: within the limits, and without set-user and set-group
 * bits, which would count on the node and wherever the archive is unpacked. Links, pipes and sockets stay as they are:
 * the archive holds links as links, and the others not at all.
 */
import { constants } from 'node:fs';
import { lstat, open, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import type { ArchiveLimits } from '../../core/archive-entries.ts';

const SET_IDS = 0o6000;
const PLAIN_MODE = 0o777;

/** Errors: `too-large`. */
export async function checkResults(
  folders: readonly string[],
  limits: ArchiveLimits,
): Promise<void> {
  try {
    await checkBelow(folders, limits);
  } catch (thrown) {
    // Work can make folders deeper than a path is long.
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENAMETOOLONG')
      throw tooLarge('a path that is too long', thrown);
    throw thrown;
  }
}

async function checkBelow(
  folders: readonly string[],
  { maxBytes, maxFiles }: ArchiveLimits,
): Promise<void> {
  const left = await realFolders(folders);
  let bytes = 0;
  let files = 0;
  for (let folder = left.pop(); folder !== undefined; folder = left.pop())
    for await (const entry of await opendir(folder)) {
      const path = join(folder, entry.name);
      files += 1;
      if (files > maxFiles) throw tooLarge(`more than ${maxFiles} files`);
      if (entry.isDirectory()) left.push(path);
      if (!entry.isFile() && !entry.isDirectory()) continue;
      const { size, mode } = await lstat(path);
      if (entry.isFile()) bytes += size;
      if (bytes > maxBytes) throw tooLarge(`more than ${maxBytes} bytes`);
      if ((mode & SET_IDS) !== 0) await takeSetIds(path);
    }
}

/** A command of this host may have put a link in the place of its result folder. */
async function realFolders(folders: readonly string[]): Promise<string[]> {
  const stats = await Promise.all(folders.map((folder) => lstat(folder)));
  return folders.filter((_, i) => stats[i]?.isDirectory() === true);
}

/** By descriptor, so that a link put in its place is not followed. */
async function takeSetIds(path: string): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    await file.chmod((await file.stat()).mode & PLAIN_MODE);
  } finally {
    await file.close();
  }
}

function tooLarge(what: string, cause?: unknown): LimpetError {
  return new LimpetError(
    'too-large',
    `the results hold ${what}; the node's operator sets the limits (results in the agent's config)`,
    { cause },
  );
}
