/**
 * Whether a store is the one that was written last: at each start the same generation goes into the store and into a file
 * beside it, and the store remembers up to which damage it has been gone through.
 *
 *   store = file, or file + 1 (the file is written second)   nothing is missing
 *   anything else                                            one of the two is an older copy
 */
import { basename } from 'node:path';
import { z } from 'zod';
import type { Store, StoreOp } from './port.ts';
import type { DamageReport } from './set-aside.ts';

const GENERATION = 'meta/generation';
const DAMAGE = 'meta/damage';

/** What the store cannot be trusted for, one line; undefined when nothing is amiss. */
export async function whatIsAmiss(
  store: Store,
  beside: number,
  reports: readonly DamageReport[],
): Promise<string | undefined> {
  const newest = reports.at(-1);
  if (newest !== undefined && (await read(store, DAMAGE, z.string())) !== basename(newest.copy))
    return `${newest.found}; ${newest.done}`;
  const generation = await read(store, GENERATION, z.number().int());
  if (generation === beside || generation === beside + 1) return undefined;
  if (generation === undefined)
    return beside === 0 ? undefined : 'the store does not know how often it was opened';
  return generation < beside
    ? `the store is an older copy (opened ${generation} times, where ${beside} were expected)`
    : `the store was opened ${generation} times, and the file beside it knows of ${beside}`;
}

/** Written when everything that follows from what was amiss is durable, before the file beside it. */
export function continuityOps(generation: number, reports: readonly DamageReport[]): StoreOp[] {
  const newest = reports.at(-1);
  return [
    { type: 'put', key: GENERATION, value: generation },
    ...(newest === undefined
      ? []
      : [{ type: 'put', key: DAMAGE, value: basename(newest.copy) } as const]),
  ];
}

export async function nextGeneration(store: Store, beside: number): Promise<number> {
  return Math.max(beside, (await read(store, GENERATION, z.number().int())) ?? 0) + 1;
}

/** A record that cannot be read is none. */
async function read<T>(store: Store, key: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const { entries } = await store.scan({ prefix: key, limit: 1 });
  const parsed = schema.safeParse(entries[0]?.value);
  return parsed.success ? parsed.data : undefined;
}
