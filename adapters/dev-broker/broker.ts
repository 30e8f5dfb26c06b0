/**
 * A core-NATS broker for development: one process, loopback only, no JetStream, TLS, accounts or clusters; plain users with
 * what they may do. A few hundred lines, held to nats-server by test/integration/dev-broker-differential.test.ts.
 */
import { createServer, type AddressInfo, type Server } from 'node:net';
import { LimpetError } from '../../core/errors.ts';
import {
  Connection,
  type Authorize,
  type ClientSubscription,
  type ConnectionLimits,
  type Hub,
  type Message,
} from './connection.ts';
import { SubjectTrie } from './subjects.ts';

export interface DevBrokerOptions {
  /** Loopback only. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly authorize?: Authorize;
  readonly limits?: Partial<ConnectionLimits>;
}

const DEFAULT_LIMITS: ConnectionLimits = {
  maxPayloadBytes: 1_048_576,
  maxPendingBytes: 64 * 1_048_576,
  pingIntervalMs: 20_000,
  maxPingsOut: 2,
  authTimeoutMs: 2_000,
};

/** Errors: `invalid-argument` for a host that is not loopback, `unavailable` when the port cannot be had. */
export async function startDevBroker(options: DevBrokerOptions): Promise<DevBroker> {
  if (!isLoopback(options.host)) {
    const advice = 'use 127.0.0.1, ::1 or localhost, or run nats-server';
    throw new LimpetError(
      'invalid-argument',
      `the dev broker listens on loopback only, not on '${options.host}'; ${advice}`,
    );
  }
  const broker = new DevBroker(options);
  await broker.listen();
  return broker;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

export class DevBroker implements Hub {
  readonly limits: ConnectionLimits;
  readonly authorize: Hub['authorize'];
  readonly #options: DevBrokerOptions;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #trie = new SubjectTrie<ClientSubscription>();
  #accepted = 0;
  /** Which member of a queue group comes next. */
  #turn = 0;

  constructor(options: DevBrokerOptions) {
    this.#options = options;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.authorize = options.authorize;
    this.#server = createServer((socket) => {
      const connection = new Connection(socket, this);
      this.#connections.add(connection);
      this.#accepted += 1;
      connection.greet(this.#info());
    });
  }

  get port(): number {
    return this.#address().port;
  }

  get url(): string {
    const { address, family, port } = this.#address();
    return `nats://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** Clients that are connected now. */
  get connections(): number {
    return this.#connections.size;
  }

  listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause) => {
        reject(
          new LimpetError('unavailable', `cannot listen on ${host}:${port}: ${cause.message}`, {
            cause,
          }),
        );
      });
      this.#server.listen(port, host, resolve);
    });
  }

  subscribed(subscription: ClientSubscription): void {
    this.#trie.add(subscription.subject, subscription);
  }

  unsubscribed(subscription: ClientSubscription): void {
    this.#trie.delete(subscription.subject, subscription);
  }

  route(from: Connection, message: Message): boolean {
    let taken = false;
    let groups: Map<string, ClientSubscription[]> | undefined;
    for (const subscription of this.#trie.match(message.subject)) {
      if (subscription.connection === from && !from.wantsEcho) continue;
      taken = true;
      if (subscription.queue === '') subscription.connection.deliver(subscription, message);
      else groups = grouped(groups, subscription);
    }
    for (const members of groups?.values() ?? []) {
      this.#turn += 1;
      const chosen = members[this.#turn % members.length];
      chosen?.connection.deliver(chosen, message);
    }
    return taken;
  }

  ended(connection: Connection): void {
    this.#connections.delete(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of [...this.#connections]) connection.end();
    await closed;
  }

  #info(): object {
    const { address, port } = this.#address();
    return {
      server_id: 'LIMPET-DEV',
      server_name: 'limpet-dev-broker',
      version: '2.9.10',
      proto: 1,
      host: address,
      port,
      headers: true,
      max_payload: this.limits.maxPayloadBytes,
      client_id: this.#accepted,
      client_ip: address,
      ...(this.authorize === undefined ? {} : { auth_required: true }),
    };
  }

  #address(): AddressInfo {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') {
      throw new LimpetError('conflict', 'the dev broker does not listen');
    }
    return address;
  }
}

function grouped(
  groups: Map<string, ClientSubscription[]> | undefined,
  subscription: ClientSubscription,
): Map<string, ClientSubscription[]> {
  const all = groups ?? new Map<string, ClientSubscription[]>();
  const members = all.get(subscription.queue) ?? [];
  members.push(subscription);
  all.set(subscription.queue, members);
  return all;
}
