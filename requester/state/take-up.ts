/**
 * Takes up a store that was opened: is it the one that was written last, who is its owner, and what follows when it is not.
 * The answer goes into the file beside it, which is written last.
 */
import type { Clock, Random } from '../../adapters/clock/port.ts';
import { continuityOps, nextGeneration, whatIsAmiss } from '../../adapters/store/continuity.ts';
import type { Store } from '../../adapters/store/port.ts';
import type { DamageReport } from '../../adapters/store/set-aside.ts';
import { rebuildIndexes, restartLinks } from './after-loss.ts';
import { loadIdentity } from './identity.ts';
import { IDENTITY_KEY, SET_BACK_KEY } from './keys.ts';
import { Mint } from './minting.ts';

/** What stands in the file beside the store. */
export interface Beside {
  /** How often the store was opened. */
  readonly generation: number;
  /** '' where there was none. */
  readonly requesterId: string;
}

export const NOTHING_BESIDE: Beside = { generation: 0, requesterId: '' };

export interface TakeUp {
  readonly clock: Clock;
  readonly random: Random;
  readonly beside: Beside;
  readonly damage: readonly DamageReport[];
}

export interface TakenUp {
  /** To be written beside it now. */
  readonly beside: Beside;
  /** What the store has lost, one line. */
  readonly amiss: string | undefined;
}

export async function takeUp(store: Store, given: TakeUp): Promise<TakenUp> {
  const { beside, damage } = given;
  const amiss = await whatIsAmiss(store, beside.generation, damage);
  const requesterId = await ownId(store, given, amiss);
  const generation = await nextGeneration(store, beside.generation);
  await store.batch(continuityOps(generation, damage));
  return { beside: { generation, requesterId }, amiss };
}

/** The id of the requester stays when its store is lost; the epoch does not. */
async function ownId(
  store: Store,
  { clock, random, beside }: TakeUp,
  amiss: string | undefined,
): Promise<string> {
  const mint = new Mint(clock, random);
  const identity = await loadIdentity(store, mint, clock.now());
  if (amiss === undefined) return identity.requesterId;
  await rebuildIndexes(store);
  await restartLinks(store, mint);
  const requesterId = beside.requesterId === '' ? identity.requesterId : beside.requesterId;
  const value = { requesterId, epoch: mint.uuid(), createdAt: clock.now() };
  await store.batch([
    { type: 'put', key: IDENTITY_KEY, value },
    { type: 'put', key: SET_BACK_KEY, value: { at: clock.now() } },
  ]);
  return requesterId;
}
