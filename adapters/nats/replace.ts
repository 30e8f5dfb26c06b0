/**
 * From one connection to the next. Every message is routed to `next` before `before` is left, and the broker has taken
 * all that was sent by `before` before anything is sent by `next`.
 */
import { within, type BrokerConnection } from './broker-connection.ts';
import type { LiveSubscription } from './live-subscription.ts';
import type { SendGate } from './send-gate.ts';

/** A connection that does not answer any more is left without its word. */
const LEAVE_DEADLINE_MS = 5_000;

export interface Replacement {
  readonly before: BrokerConnection;
  readonly next: BrokerConnection;
  readonly gate: SendGate;
}

/** The gate is shut afterwards, and `taken` subscriptions belong to `next`. */
export async function replace(
  { before, next, gate }: Replacement,
  taken: readonly LiveSubscription[],
): Promise<void> {
  for (const subscription of taken) subscription.join(next);
  await next.flush();
  gate.shut();
  const left = [before.flush(), ...taken.map((subscription) => subscription.leave())];
  await within(LEAVE_DEADLINE_MS, Promise.race([Promise.all(left), before.gone]));
  for (const subscription of taken) subscription.release();
}
