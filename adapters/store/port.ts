/**
 * The store port: an ordered map of string keys to JSON values in one LevelDB, owned by one process.
 * Every value is stored with a checksum and verified on each read. Every `batch` is atomic and durable (synced) when its
 * promise resolves; batches that arrive while one is being synced share the next sync (group commit), in order.
 *
 * Errors: `store-locked` (another process has it), `store-missing` (first start was long ago and the store is gone),
 * `store-corrupt`, `store-failed` (I/O, disk full), `version-mismatch` (written by a newer version).
 */
export type StoreOp =
  | { readonly type: 'put'; readonly key: string; readonly value: unknown }
  | { readonly type: 'del'; readonly key: string };

export interface Range {
  /** Keys that begin with this. */
  readonly prefix: string;
  /** Only keys greater than this one. */
  readonly after?: string;
  readonly limit?: number;
  readonly reverse?: boolean;
}

export interface Entry {
  readonly key: string;
  /** Parsed JSON; the reader parses it with its own schema. */
  readonly value: unknown;
}

export interface Corrupt {
  readonly key: string;
  readonly reason: string;
  /** The bytes as found, for the quarantine. */
  readonly raw: string;
}

export interface ScanResult {
  readonly entries: readonly Entry[];
  /** Records whose checksum or JSON is wrong: reported, never thrown, never silently skipped. */
  readonly corrupt: readonly Corrupt[];
}

export interface Store {
  /** undefined when absent; throws `store-corrupt` when the checksum is wrong. */
  get(key: string): Promise<unknown>;
  scan(range: Range): Promise<ScanResult>;
  batch(ops: readonly StoreOp[]): Promise<void>;
  /** Why the last write failed, one line; undefined once one has succeeded again. */
  readonly failing?: string | undefined;
  /** Moves a corrupt record's bytes under `quarantine/` and deletes it from its place, in one batch. */
  quarantine(corrupt: Corrupt): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface StoreOptions {
  /** Folder of the LevelDB. */
  readonly folder: string;
  /** False: `store-missing` instead of a new empty store. */
  readonly createIfMissing: boolean;
  /** On a full disk a store that is there can be read, and each write fails until there is room; else it is `store-failed`. */
  readonly readWhenFull?: boolean;
  /** Written at creation, checked at open: older is accepted and rewritten, newer is `version-mismatch`. */
  readonly schemaVersion: number;
}
