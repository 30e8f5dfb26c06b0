/** What the agent's end of the link works with. */
import type { Clock } from '../../adapters/clock/port.ts';
import type { Faults } from '../../adapters/faults/port.ts';
import type { Inbox } from '../../adapters/link/inbox.ts';
import type { Outbox } from '../../adapters/link/outbox.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { Transport } from '../../adapters/nats/port.ts';
import type { KnownToOwner } from '../executions/owner-word.ts';
import type { Moment } from '../executions/lease.ts';
import type { NodeInfoSources } from './node-info.ts';
import type { Orders } from './orders.ts';

export interface RequesterLinkDeps {
  readonly transport: Transport;
  readonly sources: NodeInfoSources;
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  readonly orders: Orders;
  readonly clock: Clock;
  readonly faults: Faults;
  readonly log: Logger;
  readonly instanceId: string;
  readonly bootId: string;
  readonly startedAt: number;
  readonly requestTimeoutMs: number;
  /** An id: of a new incarnation of the outbox, or of one handshake. */
  readonly mint: () => string;
  /** Every execution as a row. */
  snapshot(): Promise<readonly unknown[]>;
  /** Durable before anything that this requester says is acted on. */
  accepted(requesterId: string, epoch: string): Promise<void>;
  /** Taken as a heartbeat is sent; leases run from that of the last one that was answered. */
  moment(): Moment;
  acknowledged(sent: Moment): void;
  /** How it knows what it was told of in the handshake. */
  ownerWord(known: readonly KnownToOwner[]): Promise<void>;
  /** These have ended for the owner, of those that were asked about. */
  ended(executionIds: readonly string[]): void;
  /** The owner wants these ended (a stop that was missed). */
  stop(executionId: string): void;
}
