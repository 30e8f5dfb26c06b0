/** A store as its files show it. A living program is told by its lock; else a copy is opened, so that nothing changes. */
import { constants, cp, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import { whatIsAmiss } from '../store/continuity.ts';
import { hasRecords, hiddenDamage } from '../store/inspect.ts';
import { openStore } from '../store/level-store.ts';
import type { Store } from '../store/port.ts';
import { damageReports } from '../store/set-aside.ts';
import { failure, fine, notAllowed, skipped, warning, type Check, type Finding } from './check.ts';

export interface StoreSubject {
  readonly folder: string;
  readonly schemaVersion: number;
  /** As the file beside it has it; 0 when it was never opened. */
  generation(): Promise<number>;
  /** Whether the program of this folder answers. */
  readonly running: boolean;
  /** More to tell of an open copy. */
  describe(store: Store): Promise<string>;
}

/** A copy may take its time. */
const DEADLINE_MS = 30_000;

export function storeCheck(subject: StoreSubject): Check {
  return { name: 'store', deadlineMs: DEADLINE_MS, look: () => look(subject) };
}

async function look(subject: StoreSubject): Promise<Finding> {
  const { folder, running } = subject;
  if (!(await access(folder, constants.R_OK | constants.X_OK).then(() => true, isThere)))
    return skipped(`there is none in ${folder} yet: nothing has run here`);
  if (
    !(await access(folder, constants.R_OK | constants.X_OK).then(
      () => true,
      () => false,
    ))
  )
    return notAllowed(folder);
  const damage = await damageReports(folder);
  const copies = damage.map(({ copy }) => copy).join(', ');
  const report = (found: string): Finding =>
    damage.length === 0
      ? fine(found)
      : warning(
          `${found}; it was damaged before, see report.json in ${copies}`,
          'delete these folders when you have read them',
        );
  const holder = await lockHolder(join(folder, 'LOCK'));
  if (running)
    return report(`in use by the running program${holder === undefined ? '' : ` (pid ${holder})`}`);
  if (holder !== undefined)
    return failure(
      `process ${holder} holds its lock, and no program answers`,
      `see what process ${holder} is; it has to end before a program can start on this folder`,
    );
  return lookAtCopy(subject, report);
}

async function lookAtCopy(
  subject: StoreSubject,
  report: (found: string) => Finding,
): Promise<Finding> {
  const { folder, schemaVersion } = subject;
  const generation = await subject.generation();
  if (!hasRecords(folder))
    return generation === 0
      ? fine(`empty: ${folder}`)
      : failure(
          `${folder} is empty, and it was opened ${generation} times before`,
          'put it back; else the next start begins anew and says so',
        );
  const hidden = hiddenDamage(folder);
  if (hidden !== undefined)
    return failure(`damaged: ${hidden}`, 'the next start sets a copy aside and repairs it');
  const copy = await mkdtemp(join(tmpdir(), 'limpet-doctor-'));
  try {
    // The lock belongs to whoever opens it.
    const filter = (path: string): boolean => !path.endsWith('/LOCK');
    await cp(folder, copy, { recursive: true, filter });
    await using store = await openStore({ folder: copy, createIfMissing: false, schemaVersion });
    const amiss = await whatIsAmiss(store, generation, await damageReports(folder));
    if (amiss !== undefined)
      return warning(amiss, 'nothing that the other side has not confirmed is started from it');
    return report(`readable, opened ${generation} times, ${await subject.describe(store)}`);
  } catch (thrown) {
    const { code, message } = LimpetError.from(thrown);
    const where = message.replaceAll(copy, folder);
    if (code === 'version-mismatch') return failure(where, 'use the newer program');
    return failure(where, 'the next start sets a copy aside and repairs it');
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** Missing and unreadable are not the same. */
function isThere(thrown: unknown): boolean {
  return !(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT');
}

/** By /proc/locks, which takes no lock. In another pid namespace the holder may not be seen. */
async function lockHolder(file: string): Promise<number | undefined> {
  const found = await stat(file).catch(() => undefined);
  const locks = await readFile('/proc/locks', 'utf8').catch(() => '');
  if (found === undefined) return undefined;
  for (const line of locks.split('\n')) {
    const [, , , kind, pid, place] = line.split(/\s+/);
    const inode = place?.split(':')[2];
    if (kind === 'WRITE' && inode === String(found.ino) && Number(pid) > 0) return Number(pid);
  }
  return undefined;
}
