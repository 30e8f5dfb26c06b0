/** The store over LevelDB; see the port for its promises. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import type { Clock } from '../clock/port.ts';
import { systemClock } from '../clock/system-clock.ts';
import { GroupCommit } from './group-commit.ts';
import { LevelHandle, type LevelOp } from './level-handle.ts';
import type { Corrupt, Entry, Range, ScanResult, Store, StoreOp, StoreOptions } from './port.ts';
import {
  compareKeys,
  corruptError,
  decodeRecord,
  encodeRecord,
  LAST,
  quarantineKey,
} from './record.ts';
import { checkSchema } from './schema.ts';

/**
 * Opens the store. Errors: `store-missing`, `store-locked`, `store-corrupt`, `store-failed`, `version-mismatch`.
 * The clock serves only the back-off after a failed write.
 */
export async function openStore(
  options: StoreOptions,
  clock: Clock = systemClock(),
): Promise<Store> {
  checkFolder(options);
  const handle = await LevelHandle.open(options.folder, clock, options);
  const store = new LevelStore(handle);
  try {
    await checkSchema(store, options.schemaVersion);
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

/** LevelDB takes a folder without CURRENT for a new database and deletes the old files, so this is asked first. */
function checkFolder({ folder, createIfMissing }: StoreOptions): void {
  if (existsSync(join(folder, 'CURRENT'))) return;
  const data = existsSync(folder)
    ? readdirSync(folder).filter((name) => /^\d+\.(ldb|sst|log)$/.test(name))
    : [];
  if (data.length > 0)
    throw new LimpetError(
      'store-corrupt',
      `the store in ${folder} has files of records and no CURRENT file; copy the folder, then repair it`,
    );
  if (!createIfMissing)
    throw new LimpetError(
      'store-missing',
      `there is no store in ${folder}, though there was one; put it back, or start anew on purpose`,
    );
}

class LevelStore implements Store {
  readonly #handle: LevelHandle;
  readonly #commits: GroupCommit<LevelOp>;
  #closing: Promise<void> | undefined;

  constructor(handle: LevelHandle) {
    this.#handle = handle;
    this.#commits = new GroupCommit((ops) => handle.write(ops));
  }

  async get(key: string): Promise<unknown> {
    const text = await this.#handle.get(key);
    if (text === undefined) return undefined;
    const decoded = decodeRecord(key, text);
    if (!decoded.ok) throw corruptError(key, decoded.reason);
    return decoded.value;
  }

  async scan(range: Range): Promise<ScanResult> {
    const { prefix, after, limit = Infinity, reverse = false } = range;
    const entries: Entry[] = [];
    const corrupt: Corrupt[] = [];
    if (limit <= 0) return { entries, corrupt };
    const begin =
      after !== undefined && compareKeys(after, prefix) > 0 ? { gt: after } : { gte: prefix };
    await this.#handle.each({ ...begin, lte: prefix + LAST, reverse }, (key, text) => {
      const decoded = decodeRecord(key, text);
      if (decoded.ok) entries.push({ key, value: decoded.value });
      else corrupt.push({ key, reason: decoded.reason, raw: text });
      return entries.length < limit;
    });
    return { entries, corrupt };
  }

  async batch(ops: readonly StoreOp[]): Promise<void> {
    const encoded = ops.map(encodeOp);
    if (this.#closing !== undefined) throw new LimpetError('store-failed', 'the store is closed');
    if (encoded.length > 0) await this.#commits.commit(encoded);
  }

  get failing(): string | undefined {
    return this.#handle.failing;
  }

  quarantine({ key, raw, reason }: Corrupt): Promise<void> {
    return this.batch([
      { type: 'put', key: quarantineKey(key), value: { raw, reason } },
      { type: 'del', key },
    ]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#commits.idle().then(() => this.#handle.close());
    return this.#closing;
  }
}

function encodeOp(op: StoreOp): LevelOp {
  return op.type === 'del'
    ? op
    : { type: 'put', key: op.key, value: encodeRecord(op.key, op.value) };
}
