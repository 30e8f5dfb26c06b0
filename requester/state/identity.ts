/** Who this requester is, and the epoch of its store: another store is another epoch, and has lost what the old one knew. */
import { z } from 'zod';
import type { Store } from '../../adapters/store/port.ts';
import { IDENTITY_KEY } from './keys.ts';
import type { Mint } from './minting.ts';

const identitySchema = z.object({
  requesterId: z.string(),
  epoch: z.string(),
  createdAt: z.number(),
});
export type RequesterIdentity = z.infer<typeof identitySchema>;

export async function loadIdentity(
  store: Store,
  mint: Mint,
  now: number,
): Promise<RequesterIdentity> {
  const stored = await store.get(IDENTITY_KEY);
  if (stored !== undefined) return identitySchema.parse(stored);
  const identity = { requesterId: `r-${mint.uuid()}`, epoch: mint.uuid(), createdAt: now };
  await store.batch([{ type: 'put', key: IDENTITY_KEY, value: identity }]);
  return identity;
}
