/** Opens what the requester keeps: the store, and beside it the file that tells an older copy from the newest one. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock, Random } from '../../adapters/clock/port.ts';
import { writeDurably } from '../../adapters/durable/write-durably.ts';
import type { Logger } from '../../adapters/log/port.ts';
import { firstUnreadable, openDurable } from '../../adapters/store/open-durable.ts';
import type { Store } from '../../adapters/store/port.ts';
import { damageLine, damageReports } from '../../adapters/store/set-aside.ts';
import { SCHEMA_VERSION } from './keys.ts';
import { NOTHING_BESIDE, takeUp, type Beside } from './take-up.ts';

export interface Opening {
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface OpenedState {
  readonly store: Store;
  /** What is not as it should be with it, one sentence each. */
  readonly problems: readonly string[];
}

const besideSchema = z.object({
  v: z.literal(1),
  generation: z.number().int().nonnegative(),
  requesterId: z.string(),
});

/** Errors: `store-locked`, `store-failed`, `version-mismatch`. */
export async function openState(opening: Opening): Promise<OpenedState> {
  const { folder, clock, log } = opening;
  const path = join(folder, 'store');
  const file = join(folder, 'generation.json');
  const beside = await readBeside(file);
  const { store } = await openDurable(
    {
      folder: path,
      expected: beside.generation > 0,
      schemaVersion: SCHEMA_VERSION,
      probe: readLive,
    },
    clock,
  );
  try {
    const damage = await damageReports(path);
    const { amiss, ...taken } = await takeUp(store, { ...opening, beside, damage });
    await writeDurably(file, `${JSON.stringify({ v: 1, ...taken.beside })}\n`);
    if (amiss !== undefined) log.error('store.amiss', { reason: amiss });
    const lost = `at this start the store had lost something: ${amiss}`;
    return { store, problems: [...damage.map(damageLine), ...(amiss === undefined ? [] : [lost])] };
  } catch (thrown) {
    await store[Symbol.asyncDispose]();
    throw thrown;
  }
}

/** A data folder of an older version has none, and neither has a new one. */
export async function readBeside(file: string): Promise<Beside> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return NOTHING_BESIDE;
  try {
    return besideSchema.parse(JSON.parse(text));
  } catch {
    return NOTHING_BESIDE;
  }
}

/** All that a start reads; a damaged record of one job is dealt with by itself. */
async function readLive(store: Store): Promise<string | undefined> {
  for (const prefix of ['node/', 'exec-of/']) await store.scan({ prefix });
  const live = await store.scan({ prefix: 'live/' });
  for (const { key } of [...live.entries, ...live.corrupt])
    await store.scan({ prefix: `job/${key.slice('live/'.length)}`, limit: 1 });
  return firstUnreadable(store, ['meta/', 'link/']);
}
