/**
 * The transport over npm nats. npm nats buffers without bound while it reconnects; core NATS promises nothing for such
 * messages anyway, so here a request or publish without a connection fails at once, and requests that are under way
 * when the connection breaks fail with it. The first connection is retried for ever, as later ones are.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  connect,
  Events,
  jwtAuthenticator,
  usernamePasswordAuthenticator,
  type Auth,
  type NatsConnection,
  type Status,
} from 'nats';
import { LimpetError } from '../../core/errors.ts';
import type { Logger } from '../log/port.ts';
import { LiveSubscription, type Handler } from './live-subscription.ts';
import { connectionDetail, requestError, sendError } from './nats-errors.ts';
import type { Credentials, Subscription, Transport, TransportOptions } from './port.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_WAIT_MS = 500;
const RECONNECT_JITTER_MS = 250;
const PING_INTERVAL_MS = 10_000;
const MAX_PINGS_OUT = 2;
/** How long `connectTransport` gives the first attempt before it returns without a connection. */
const FIRST_ATTEMPT_MS = 500;
const HANDLERS_DEADLINE_MS = 5_000;
const FLUSH_DEADLINE_MS = 2_000;
/** Of the NATS default; the true limit is read from the broker. */
const ASSUMED_MAX_PAYLOAD = 1_048_576;
const BAD_SUBJECT = /[\s*>]|^$|^\.|\.$|\.\./;

type Listener = (connected: boolean, detail: string) => void;

/**
 * Answers once the first attempt to connect has ended either way, at the latest after half a second; the transport
 * goes on to connect in the background. Never rejects for a broker that is down.
 */
export async function connectTransport(options: TransportOptions, log: Logger): Promise<Transport> {
  const transport = new NatsTransport(options, log);
  const waiting = new AbortController();
  await Promise.race([
    transport.firstAttempt,
    delay(FIRST_ATTEMPT_MS, undefined, { signal: waiting.signal }).catch(() => undefined),
  ]);
  waiting.abort();
  return transport;
}

class NatsTransport implements Transport {
  readonly firstAttempt: Promise<void>;
  readonly #options: TransportOptions;
  readonly #log: Logger;
  readonly #broker: string;
  readonly #listeners = new Set<Listener>();
  readonly #subscriptions = new Set<LiveSubscription>();
  /** Ended subscriptions whose handlers still run. */
  readonly #leaving = new Set<LiveSubscription>();
  /** Fails one request that is under way. */
  readonly #underWay = new Set<() => void>();
  readonly #closing = new AbortController();
  readonly #loop: Promise<void>;
  #connection: NatsConnection | undefined;
  #connected = false;
  /** The broker is there and does not take these credentials. */
  #refused = false;
  #detail: string;
  #maxPayload = ASSUMED_MAX_PAYLOAD;
  #disposed: Promise<void> | undefined;

  constructor(options: TransportOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#broker = options.servers.join(', ');
    this.#detail = `connecting to the broker ${this.#broker}`;
    let firstDone: () => void = () => undefined;
    this.firstAttempt = new Promise((resolve) => (firstDone = resolve));
    this.#loop = this.#connectForEver(() => firstDone());
  }

  get maxPayload(): number {
    return this.#maxPayload;
  }

  get connected(): boolean {
    return this.#connected;
  }

  async request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const connection = this.#online(subject, payload);
    let lost: () => void = () => undefined;
    try {
      return await new Promise<Uint8Array>((resolve, reject) => {
        lost = () => reject(this.#unavailable(`the answer on ${subject} is lost`));
        this.#underWay.add(lost);
        connection.request(subject, payload, { timeout: timeoutMs }).then(
          (message) => resolve(message.data),
          (thrown: unknown) => reject(requestError(thrown, subject, timeoutMs)),
        );
      });
    } finally {
      this.#underWay.delete(lost);
    }
  }

  publish(subject: string, payload: Uint8Array): void {
    const connection = this.#online(subject, payload);
    try {
      connection.publish(subject, payload);
    } catch (thrown) {
      throw sendError(thrown, subject);
    }
  }

  subscribe(subject: string, handler: Handler): Subscription {
    if (this.#closing.signal.aborted) throw this.#unavailable(`no subscription to ${subject}`);
    const subscription = new LiveSubscription({
      subject,
      handler,
      log: this.#log,
      respond: (reply, payload) => this.publish(reply, payload),
      onEnd: (ended) => {
        this.#subscriptions.delete(ended);
        this.#leaving.add(ended);
        void Promise.all(ended.running).then(() => this.#leaving.delete(ended));
      },
    });
    this.#subscriptions.add(subscription);
    if (this.#connection !== undefined) subscription.attach(this.#connection);
    return subscription;
  }

  onConnection(listener: Listener): () => void {
    this.#listeners.add(listener);
    listener(this.#connected, this.#detail);
    return () => this.#listeners.delete(listener);
  }

  async renew(): Promise<void> {
    await this.#connection?.reconnect();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    this.#closing.abort();
    for (const subscription of [...this.#subscriptions]) subscription.unsubscribe();
    const running = [...this.#leaving].flatMap((subscription) => [...subscription.running]);
    await this.#within(HANDLERS_DEADLINE_MS, Promise.all(running), 'handlers');
    const connection = this.#connection;
    if (connection !== undefined) {
      if (this.#connected) await this.#within(FLUSH_DEADLINE_MS, connection.flush(), 'flush');
      await connection.close();
    }
    await this.#loop;
    this.#change(false, 'the transport is closed');
    this.#listeners.clear();
  }

  async #within(deadlineMs: number, work: Promise<unknown>, what: string): Promise<void> {
    const done = new AbortController();
    const late = delay(deadlineMs, 'late', { signal: done.signal }).catch(() => undefined);
    const result = await Promise.race([work.catch(() => undefined), late]);
    done.abort();
    if (result === 'late') this.#log.warn('transport.close-late', { what, deadlineMs });
  }

  async #connectForEver(firstDone: () => void): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        const connection = await this.#connectOnce();
        const ended = this.#follow(connection);
        firstDone();
        await ended;
      } catch (thrown) {
        const detail = connectionDetail(thrown, this.#broker);
        this.#refused = detail.startsWith('permission-denied');
        this.#change(false, detail);
        firstDone();
      }
      await delay(reconnectWaitMs(), undefined, { signal }).catch(() => undefined);
    }
  }

  #connectOnce(): Promise<NatsConnection> {
    const { servers, name, inboxPrefix, tls, pingIntervalMs } = this.#options;
    return connect({
      servers: [...servers],
      noRandomize: true,
      name,
      inboxPrefix,
      authenticator: (nonce) => proofOf(this.#options.credentials?.(), nonce),
      ...(tls === undefined ? {} : { tls }),
      timeout: CONNECT_TIMEOUT_MS,
      pingInterval: pingIntervalMs ?? PING_INTERVAL_MS,
      maxPingOut: MAX_PINGS_OUT,
      maxReconnectAttempts: -1,
      reconnectDelayHandler: reconnectWaitMs,
      ignoreAuthErrorAbort: true,
      noAsyncTraces: true,
    });
  }

  /** Resolves when this connection has ended for good. */
  async #follow(connection: NatsConnection): Promise<void> {
    if (this.#closing.signal.aborted) {
      await connection.close();
      return;
    }
    const status = connection.status();
    this.#connection = connection;
    for (const subscription of this.#subscriptions) subscription.attach(connection);
    this.#up(connection);
    const following = (async () => {
      for await (const event of status) this.#event(connection, event);
    })();
    const why = await Promise.race([connection.closed(), following]);
    this.#connection = undefined;
    this.#change(false, connectionDetail(why ?? new Error('closed'), this.#broker));
  }

  #event(connection: NatsConnection, event: Status): void {
    if (event.type === Events.Disconnect) this.#change(false, `the broker ${this.#broker} is gone`);
    else if (event.type === Events.Reconnect) this.#up(connection);
    else if (event.type === Events.Error && event.permissionContext !== undefined) {
      this.#log.error('transport.permission-denied', {
        code: 'permission-denied',
        ...event.permissionContext,
      });
    } else if (event.type === Events.Error) {
      this.#log.warn('transport.error', { detail: JSON.stringify(event.data) });
    }
  }

  #up(connection: NatsConnection): void {
    this.#refused = false;
    this.#maxPayload = connection.info?.max_payload ?? ASSUMED_MAX_PAYLOAD;
    this.#change(true, `connected to the broker ${connection.getServer()}`);
  }

  #change(connected: boolean, detail: string): void {
    if (connected === this.#connected && detail === this.#detail) return;
    const before = this.#connected;
    this.#connected = connected;
    this.#detail = detail;
    this.#log[connected ? 'info' : 'warn']('transport.connection', { connected, detail });
    if (!connected) for (const lost of [...this.#underWay]) lost();
    if (before === connected && connected) return;
    for (const listener of [...this.#listeners]) listener(connected, detail);
  }

  #online(subject: string, payload: Uint8Array): NatsConnection {
    if (BAD_SUBJECT.test(subject)) {
      throw new LimpetError(
        'invalid-argument',
        `'${subject}' is not a subject that can be sent to`,
      );
    }
    if (!this.#connected || this.#connection === undefined) {
      throw this.#unavailable(`nothing was sent on ${subject}`);
    }
    if (payload.length > this.#maxPayload) {
      const sizes = `${payload.length} bytes for ${subject}, the broker takes at most ${this.#maxPayload}`;
      throw new LimpetError('too-large', `the message is too large: ${sizes}`);
    }
    return this.#connection;
  }

  #unavailable(consequence: string): LimpetError {
    const code = this.#refused ? 'permission-denied' : 'unavailable';
    return new LimpetError(code, `${this.#detail}; ${consequence}`);
  }
}

function reconnectWaitMs(): number {
  return RECONNECT_WAIT_MS + Math.floor(Math.random() * RECONNECT_JITTER_MS);
}

function proofOf(credentials: Credentials | undefined, nonce?: string): Auth {
  if (credentials === undefined) return undefined;
  if (credentials.type === 'password')
    return usernamePasswordAuthenticator(credentials.user, credentials.password)();
  const seed = new TextEncoder().encode(credentials.seed);
  return jwtAuthenticator(credentials.jwt, seed)(nonce);
}
