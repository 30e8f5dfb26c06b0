/**
 * One LevelDB handle that heals itself: after an I/O error (a full disk) LevelDB refuses every write through the same
 * handle for good, so the next write first closes and reopens it, no sooner than a back-off after the failure, and only
 * when there is room. Reads go on through the old handle until then. When writes fail because the files are damaged, and
 * go on to fail after that, the store is repaired, a copy first. On a disk that is full already it may begin as a reader of
 * a copy aside, as if its first write had failed.
 */
import { Level } from 'level';
import { LimpetError } from '../../core/errors.ts';
import type { Clock } from '../clock/port.ts';
import { removeFolder } from '../durable/folders.ts';
import { openAside } from './aside.ts';
import { hasRecords, isDamage, isNoSpace } from './inspect.ts';
import { levelError, rootMessage } from './level-error.ts';
import { repairStore, whileRepairing } from './repair.ts';
import { checkRoom } from './room.ts';
import { saveReport } from './set-aside.ts';

export type LevelOp =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string };

export type KeyBounds = ({ readonly gte: string } | { readonly gt: string }) & {
  readonly lte: string;
  readonly reverse: boolean;
};

interface OpenLevel {
  readonly createIfMissing: boolean;
  readonly readWhenFull?: boolean | undefined;
}

const BACKOFF_MS = 100;
const BACKOFF_MAX_MS = 2_000;
/** Failures that opening anew did not mend. */
const REPAIR_AFTER = 2;

export class LevelHandle {
  readonly #folder: string;
  readonly #clock: Clock;
  #db: Level<string, string>;
  #failures = 0;
  #failedAt = 0;
  #broken = false;
  #failing: string | undefined;
  /** Failures in a row for damaged files. */
  #damaged = 0;
  #reopening: Promise<void> | undefined;
  /** Where the copy is that is read meanwhile. */
  #aside: string | undefined;

  private constructor(folder: string, clock: Clock, db: Level<string, string>) {
    this.#folder = folder;
    this.#clock = clock;
    this.#db = db;
  }

  static async open(folder: string, clock: Clock, how: OpenLevel): Promise<LevelHandle> {
    try {
      return new LevelHandle(folder, clock, await openLevel(folder, how.createIfMissing));
    } catch (thrown) {
      if (how.readWhenFull !== true || !hasRecords(folder) || !isNoSpace(thrown)) throw thrown;
      return LevelHandle.#reader(folder, clock, thrown);
    }
  }

  static async #reader(folder: string, clock: Clock, full: unknown): Promise<LevelHandle> {
    const { opened, folder: aside } = await openAside(folder, (copy) => openLevel(copy, false));
    const handle = new LevelHandle(folder, clock, opened);
    handle.#aside = aside;
    handle.#failed(full);
    return handle;
  }

  async get(key: string): Promise<string | undefined> {
    await this.#reopening;
    try {
      return await this.#db.get(key);
    } catch (error) {
      throw levelError('read', this.#folder, error);
    }
  }

  /** Calls `visit` with each pair until it answers false. */
  async each(bounds: KeyBounds, visit: (key: string, text: string) => boolean): Promise<void> {
    await this.#reopening;
    try {
      for await (const [key, text] of this.#db.iterator(bounds)) if (!visit(key, text)) return;
    } catch (error) {
      throw levelError('read', this.#folder, error);
    }
  }

  /** One atomic, synced batch; never called twice at a time. */
  async write(ops: LevelOp[]): Promise<void> {
    if (this.#broken) await this.#reopenOnce();
    try {
      await this.#db.batch(ops, { sync: true });
      this.#failures = 0;
      this.#damaged = 0;
      this.#failing = undefined;
    } catch (error) {
      this.#failed(error);
      throw levelError('write to', this.#folder, error);
    }
  }

  /** Why the last write failed; undefined once one has succeeded again. */
  get failing(): string | undefined {
    return this.#failing;
  }

  async close(): Promise<void> {
    await this.#reopening;
    await this.#closeOld();
  }

  async #closeOld(): Promise<void> {
    await this.#db.close();
    if (this.#aside === undefined) return;
    await removeFolder(this.#aside);
    this.#aside = undefined;
  }

  #failed(error: unknown): void {
    this.#broken = true;
    this.#failing = rootMessage(error);
    if (isDamage(error)) this.#damaged += 1;
    this.#failures += 1;
    this.#failedAt = this.#clock.uptime();
  }

  async #reopenOnce(): Promise<void> {
    const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** (this.#failures - 1));
    const wait = this.#failedAt + backoff - this.#clock.uptime();
    if (wait > 0) await this.#clock.sleep(wait);
    const reopened = this.#reopen();
    this.#reopening = reopened.catch(() => undefined);
    await reopened;
  }

  async #reopen(): Promise<void> {
    try {
      await checkRoom(this.#folder);
      if (this.#aside === undefined) await this.#db.close();
      if (this.#damaged >= REPAIR_AFTER) await this.#repair(this.#failing ?? '');
      const db = await openLevel(this.#folder, false);
      await this.#closeOld();
      this.#db = db;
      this.#broken = false;
    } catch (error) {
      this.#failed(error);
      throw error instanceof LimpetError ? error : levelError('reopen', this.#folder, error);
    }
  }

  /** The next start goes through what is left, by the report. */
  async #repair(found: string): Promise<void> {
    const at = this.#clock.now();
    await whileRepairing(this.#folder, async () => {
      const { copy, kept, done } = await repairStore(this.#folder, at);
      if (!kept) await (await openLevel(this.#folder, true)).close();
      await saveReport(copy, { at, found, done: `${done}, at work`, unreadable: [] });
    });
    this.#damaged = 0;
  }
}

async function openLevel(folder: string, createIfMissing: boolean): Promise<Level<string, string>> {
  const db = new Level<string, string>(folder, { createIfMissing });
  try {
    await db.open();
    return db;
  } catch (error) {
    await db.close();
    throw levelError('open', folder, error);
  }
}
