/**
 * Opens a store that may be damaged, so that a program starts degraded rather than not at all. Only positive facts count
 * as damage; a lock, a newer version, missing rights and a full disk are refused as ever, and change nothing.
 *
 *   no files            -> made anew; where there had been a store, that is reported
 *   sound               -> open
 *   damaged             -> copy beside it, repair, every record read, the bad ones quarantined
 *   beyond repair       -> the old one becomes the copy, a new one begins
 */
import type { Clock } from '../clock/port.ts';
import { hasRecords, hiddenDamage, isDamage } from './inspect.ts';
import { rootMessage } from './level-error.ts';
import { openStore } from './level-store.ts';
import type { Store, StoreOptions } from './port.ts';
import { repairStore, whileRepairing } from './repair.ts';
import { newCopyFolder, saveReport, type DamageReport } from './set-aside.ts';
import { verifyRecords } from './verify.ts';

export interface DurableOptions extends Omit<StoreOptions, 'createIfMissing'> {
  /** There had been a store in the folder: without one, something is lost. */
  readonly expected: boolean;
  /**
   * Reads what the program cannot start without, by `scan`, and answers what is damaged of it, if anything. What LevelDB
   * cannot read at all is damage too.
   */
  probe(store: Store): Promise<string | undefined>;
}

export interface Opened {
  readonly store: Store;
  /** Of this opening: records may be gone, or be older than they were. */
  readonly damage: DamageReport | undefined;
}

/** Errors: `store-locked`, `store-failed`, `version-mismatch`. */
export async function openDurable(options: DurableOptions, clock: Clock): Promise<Opened> {
  const { folder, expected } = options;
  if (!hasRecords(folder)) {
    const damage = expected ? await reportMissing(folder, clock) : undefined;
    return { store: await openStore({ ...options, createIfMissing: true }, clock), damage };
  }
  const hidden = hiddenDamage(folder);
  if (hidden !== undefined) return repaired(options, clock, hidden);
  let store: Store | undefined;
  try {
    store = await openStore({ ...options, createIfMissing: false }, clock);
    const found = await options.probe(store);
    if (found === undefined) return { store, damage: undefined };
    await store[Symbol.asyncDispose]();
    return await repaired(options, clock, found);
  } catch (thrown) {
    await store?.[Symbol.asyncDispose]();
    if (!isDamage(thrown)) throw thrown;
    return repaired(options, clock, rootMessage(thrown));
  }
}

/** For a probe: the first of these records whose checksum is wrong. */
export async function firstUnreadable(
  store: Store,
  prefixes: readonly string[],
): Promise<string | undefined> {
  let found: string | undefined;
  for (const prefix of prefixes) {
    const { corrupt } = await store.scan({ prefix });
    found ??= corrupt[0] === undefined ? undefined : `record '${corrupt[0].key}' is damaged`;
  }
  return found;
}

function repaired(options: DurableOptions, clock: Clock, found: string): Promise<Opened> {
  const { folder } = options;
  return whileRepairing(folder, async () => {
    const at = clock.now();
    const { copy, kept, done } = await repairStore(folder, at);
    // The version may be among what is lost; a store of a newer program is refused before it comes to this.
    const store = await openStore({ ...options, createIfMissing: !kept }, clock);
    try {
      const unreadable = await verifyRecords(store);
      return { store, damage: await saveReport(copy, { at, found, done, unreadable }) };
    } catch (thrown) {
      await store[Symbol.asyncDispose]();
      throw thrown;
    }
  });
}

async function reportMissing(folder: string, clock: Clock): Promise<DamageReport> {
  const at = clock.now();
  const copy = await newCopyFolder(folder, at);
  const found = `there is no store in ${folder}, though there was one`;
  return saveReport(copy, { at, found, done: 'begun anew', unreadable: [] });
}
