/** How a requester of this config reaches its broker. */
import { passwordOf } from '../adapters/nats/credentials.ts';
import type { TransportOptions } from '../adapters/nats/port.ts';
import type { Config } from './config.ts';

export function transportOptions({ nats }: Config): TransportOptions {
  return {
    servers: nats.servers,
    name: 'limpet-requester',
    inboxPrefix: '_INBOX.requester',
    credentials: () => passwordOf(nats),
  };
}
