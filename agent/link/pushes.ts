/** What the requester pushes: taken under the session of the last handshake alone. */
import type { Faults } from '../../adapters/faults/port.ts';
import type { Inbox } from '../../adapters/link/inbox.ts';
import type { Subscription, Transport } from '../../adapters/nats/port.ts';
import type { NodeId } from '../../core/ids.ts';
import type { Push, PushAnswer } from '../../wire/messages.ts';
import { toAgent } from '../../wire/subjects.ts';
import type { Orders } from './orders.ts';
import { readPush, writePushAnswer } from './requester-calls.ts';

export interface PushesParts {
  readonly transport: Transport;
  readonly nodeId: NodeId;
  readonly inbox: Inbox;
  readonly orders: Orders;
  readonly faults: Faults;
  /** '' while there is none. */
  session(this: void): string;
  /** Of the handshake that is under way. */
  shaken(this: void): Promise<void> | undefined;
  handshakeRequired(this: void, reason: string): void;
}

/** Until it is unsubscribed. */
export function takePushes(parts: PushesParts): Subscription {
  const { transport, nodeId } = parts;
  return transport.subscribe(toAgent(nodeId, 'Push'), async ({ payload }) =>
    writePushAnswer(await take(parts, readPush(payload))),
  );
}

async function take(parts: PushesParts, push: Push): Promise<PushAnswer> {
  const { session, shaken, inbox, orders, faults, handshakeRequired } = parts;
  // The requester may send as soon as it has accepted, before its answer is read here.
  const early = push.session === session() ? undefined : shaken();
  if (early !== undefined) await early;
  const answer: PushAnswer =
    push.session !== '' && push.session === session()
      ? await inbox.receive(push, {
          apply: (rows) => orders.apply(rows),
          beforeAck: () => {
            faults.reach('agent.link.before-ack');
          },
        })
      : { type: 'handshake-required', reason: 'another link session' };
  // After a handshake that it came before, the beat tells whether another one is needed; a failed one comes again by itself.
  if (answer.type === 'handshake-required' && early === undefined) handshakeRequired(answer.reason);
  return answer;
}
