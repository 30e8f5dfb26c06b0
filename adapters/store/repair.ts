/**
 * Repairs a damaged store, a copy first. LevelDB's repair takes no lock, so a small database beside the store is the lock
 * while it is at work.
 *
 *   copy the files -> repair -> open -> read every record, quarantine those with a wrong checksum
 *                       `-> fails: the store becomes the copy, and a new one begins
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { codeOf, levelError } from './level-error.ts';
import { isNoSpace } from './inspect.ts';
import { copyFiles, moveAway, newCopyFolder } from './set-aside.ts';

export interface Repaired {
  /** Where the files as they were found are. */
  readonly copy: string;
  /** False: nothing could be used, and the folder is empty now. */
  readonly kept: boolean;
  readonly done: string;
}

/** Errors: `store-locked`, `store-failed` (no room for the copy). The damaged files stay until there is a copy. */
export async function repairStore(folder: string, now: number): Promise<Repaired> {
  await checkUnlocked(folder);
  const copy = await newCopyFolder(folder, now);
  try {
    await copyFiles(folder, copy);
  } catch (thrown) {
    await rm(copy, { recursive: true, force: true });
    throw levelError('set aside a copy of', folder, thrown);
  }
  try {
    await repairFiles(folder);
    await checkOpens(folder);
    await rm(join(folder, 'lost'), { recursive: true, force: true });
    return { copy, kept: true, done: 'repaired' };
  } catch (thrown) {
    if (isNoSpace(thrown)) throw levelError('repair', folder, thrown);
    await moveAway(folder, copy);
    return { copy, kept: false, done: `could not be repaired (${messageOf(thrown)}); begun anew` };
  }
}

/** Holds other starts off while this one repairs. Errors: `store-locked`. */
export async function whileRepairing<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const guard = `${folder}.repairing`;
  const db = new Level<string, string>(guard);
  try {
    await db.open();
  } catch (thrown) {
    await db.close();
    throw levelError('repair', folder, thrown);
  }
  try {
    return await work();
  } finally {
    await db.close();
    await rm(guard, { recursive: true, force: true });
  }
}

/**
 * Errors: `store-locked`. LevelDB takes its lock before it looks at anything, and then refuses because there may be a
 * database.
 */
export async function checkUnlocked(folder: string): Promise<void> {
  const db = new Level<string, string>(folder, { createIfMissing: false, errorIfExists: true });
  try {
    await db.open();
  } catch (thrown) {
    if (codeOf(thrown) === 'LEVEL_LOCKED') throw levelError('repair', folder, thrown);
  } finally {
    await db.close();
  }
}

/** Opens, and every block can be read. */
async function checkOpens(folder: string): Promise<void> {
  const db = new Level<string, string>(folder, { createIfMissing: false });
  try {
    await db.open();
    const iterator = db.iterator({ fillCache: false });
    try {
      while ((await iterator.nextv(1000)).length > 0);
    } finally {
      await iterator.close();
    }
  } finally {
    await db.close();
  }
}

/** `level` is classic-level on Node; its types tell only what a browser has too. */
function canRepair(level: object): level is { repair(folder: string): Promise<void> } {
  return 'repair' in level && typeof level.repair === 'function';
}

async function repairFiles(folder: string): Promise<void> {
  if (!canRepair(Level)) throw new LimpetError('internal', 'this LevelDB cannot repair');
  await Level.repair(folder);
}
