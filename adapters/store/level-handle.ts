/**
 * One LevelDB handle that heals itself: after an I/O error (a full disk) LevelDB refuses every write through the same
 * handle for good, so the next write first closes and reopens it, no sooner than a back-off after the failure.
 * Reads go on through the old handle until then.
 */
import { Level } from 'level';
import { LimpetError } from '../../core/errors.ts';
import type { Clock } from '../clock/port.ts';
import { levelError } from './level-error.ts';

export type LevelOp =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string };

export type KeyBounds = ({ readonly gte: string } | { readonly gt: string }) & {
  readonly lte: string;
  readonly reverse: boolean;
};

const BACKOFF_MS = 100;
const BACKOFF_MAX_MS = 5_000;

export class LevelHandle {
  readonly #folder: string;
  readonly #clock: Clock;
  #db: Level<string, string>;
  #failures = 0;
  #failedAt = 0;
  #broken = false;
  #reopening: Promise<void> | undefined;

  private constructor(folder: string, clock: Clock, db: Level<string, string>) {
    this.#folder = folder;
    this.#clock = clock;
    this.#db = db;
  }

  static async open(folder: string, clock: Clock, createIfMissing: boolean): Promise<LevelHandle> {
    return new LevelHandle(folder, clock, await openLevel(folder, createIfMissing));
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
    } catch (error) {
      this.#failed();
      throw levelError('write to', this.#folder, error);
    }
  }

  async close(): Promise<void> {
    await this.#reopening;
    await this.#db.close();
  }

  #failed(): void {
    this.#broken = true;
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
      await this.#db.close();
      this.#db = await openLevel(this.#folder, false);
      this.#broken = false;
    } catch (error) {
      this.#failed();
      throw error instanceof LimpetError ? error : levelError('reopen', this.#folder, error);
    }
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
