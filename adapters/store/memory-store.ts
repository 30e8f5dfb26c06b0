/** The store in memory, for property tests: the same records, the same order, nothing on disk. */
import { LimpetError } from '../../core/errors.ts';
import { GroupCommit } from './group-commit.ts';
import type { Corrupt, Entry, Range, ScanResult, Store, StoreOp } from './port.ts';
import { compareKeys, corruptError, decodeRecord, encodeRecord, quarantineKey } from './record.ts';
import { checkSchema } from './schema.ts';

/** The records outlive the store, as a disk would; hand in the same map to open it again. */
export type MemoryRecords = Map<string, string>;

export async function openMemoryStore(
  schemaVersion = 1,
  records: MemoryRecords = new Map(),
): Promise<Store> {
  const store = new MemoryStore(records);
  await checkSchema(store, schemaVersion);
  return store;
}

type Write = readonly [key: string, text: string | undefined];

class MemoryStore implements Store {
  readonly #records: MemoryRecords;
  readonly #commits: GroupCommit<Write>;
  #closed = false;

  constructor(records: MemoryRecords) {
    this.#records = records;
    this.#commits = new GroupCommit((writes) => this.#apply(writes));
  }

  async get(key: string): Promise<unknown> {
    this.#checkOpen();
    const text = this.#records.get(key);
    if (text === undefined) return undefined;
    const decoded = decodeRecord(key, text);
    if (!decoded.ok) throw corruptError(key, decoded.reason);
    return decoded.value;
  }

  async scan({
    prefix,
    after = '',
    limit = Infinity,
    reverse = false,
  }: Range): Promise<ScanResult> {
    this.#checkOpen();
    const keys = [...this.#records.keys()]
      .filter((key) => key.startsWith(prefix) && compareKeys(key, after) > 0)
      .sort(compareKeys);
    const entries: Entry[] = [];
    const corrupt: Corrupt[] = [];
    for (const key of reverse ? keys.reverse() : keys) {
      if (entries.length >= limit) break;
      const raw = this.#records.get(key) ?? '';
      const decoded = decodeRecord(key, raw);
      if (decoded.ok) entries.push({ key, value: decoded.value });
      else corrupt.push({ key, reason: decoded.reason, raw });
    }
    return { entries, corrupt };
  }

  async batch(ops: readonly StoreOp[]): Promise<void> {
    const writes = ops.map((op): Write => [
      op.key,
      op.type === 'put' ? encodeRecord(op.key, op.value) : undefined,
    ]);
    this.#checkOpen();
    if (writes.length > 0) await this.#commits.commit(writes);
  }

  get failing(): undefined {
    return undefined;
  }

  quarantine({ key, raw, reason }: Corrupt): Promise<void> {
    return this.batch([
      { type: 'put', key: quarantineKey(key), value: { raw, reason } },
      { type: 'del', key },
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#commits.idle();
  }

  async #apply(writes: readonly Write[]): Promise<void> {
    for (const [key, text] of writes) {
      if (text === undefined) this.#records.delete(key);
      else this.#records.set(key, text);
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new LimpetError('store-failed', 'the store is closed');
  }
}
