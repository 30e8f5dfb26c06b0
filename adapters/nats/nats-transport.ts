/**
 * The transport over npm nats. Each connection lives once; here it is replaced, for ever, and by `renew` before its end.
 * A request or publish without a connection fails at once: npm nats would buffer it, and core NATS promises nothing for it.
 */
import { Events, type Status } from 'nats';
import { LimpetError } from '../../core/errors.ts';
import type { Logger } from '../log/port.ts';
import { Attempts } from './attempts.ts';
import { BrokerConnection, within } from './broker-connection.ts';
import { Denials } from './denials.ts';
import { dial } from './dial.ts';
import { LiveSubscription, type Handler } from './live-subscription.ts';
import { connectionDetail, REFUSED } from './nats-errors.ts';
import type { BrokerTransport, Subscription, TransportOptions } from './port.ts';
import { replace } from './replace.ts';
import { SendGate } from './send-gate.ts';

/** How long `connectTransport` gives the first attempt before it returns without a connection. */
const FIRST_ATTEMPT_MS = 500;
const HANDLERS_DEADLINE_MS = 5_000;
/** From a renewal on: what is under way on the old connection may take as long as any request. */
const RETIRE_DEADLINE_MS = 60_000;
const ASSUMED_MAX_PAYLOAD = 1_048_576;
const BAD_SUBJECT = /[\s*>]|^$|^\.|\.$|\.\./;

type Listener = (connected: boolean, detail: string) => void;

/**
 * Answers once the first attempt to connect has ended either way, at the latest after half a second; the transport
 * goes on to connect in the background. Never rejects for a broker that is down.
 */
export async function connectTransport(
  options: TransportOptions,
  log: Logger,
): Promise<BrokerTransport> {
  const transport = new NatsTransport(options, log);
  await within(FIRST_ATTEMPT_MS, transport.firstAttempt);
  return transport;
}

class NatsTransport implements BrokerTransport {
  readonly firstAttempt: Promise<void>;
  readonly #options: TransportOptions;
  readonly #log: Logger;
  readonly #broker: string;
  readonly #denials: Denials;
  readonly #listeners = new Set<Listener>();
  readonly #subscriptions = new Set<LiveSubscription>();
  /** Ended subscriptions whose handlers still run. */
  readonly #leaving = new Set<LiveSubscription>();
  /** Replaced connections on which something is under way. */
  readonly #retiring = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  readonly #loop: Promise<void>;
  readonly #attempts = new Attempts();
  readonly #gate: SendGate;
  #connection: BrokerConnection | undefined;
  #renewal: Promise<void> = Promise.resolve();
  /** The last step of a renewal: the present connection may end now without its being a loss. */
  #replacing: Promise<void> = Promise.resolve();
  #detail: string;
  #disposed: Promise<void> | undefined;

  constructor(options: TransportOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#broker = options.servers.join(', ');
    this.#denials = new Denials(log);
    this.#gate = new SendGate(log);
    this.#detail = `connecting to the broker ${this.#broker}`;
    let firstDone: () => void = () => undefined;
    this.firstAttempt = new Promise((resolve) => (firstDone = resolve));
    this.#loop = this.#connectForEver(() => firstDone());
  }

  get maxPayload(): number {
    return this.#connection?.maxPayload ?? ASSUMED_MAX_PAYLOAD;
  }

  get connected(): boolean {
    return this.#connection !== undefined;
  }

  get refused(): boolean {
    return this.#attempts.refused;
  }

  problems(): readonly string[] {
    return this.#denials.all;
  }

  async request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    this.#check(subject, payload);
    return new Promise((resolve, reject) => {
      this.#gate.send(() => {
        const connection = this.#connection;
        if (connection === undefined) reject(this.#unavailable(`nothing was sent on ${subject}`));
        else connection.request(subject, payload, timeoutMs).then(resolve, reject);
      });
    });
  }

  publish(subject: string, payload: Uint8Array): void {
    this.#check(subject, payload);
    this.#gate.send(() => this.#connection?.publish(subject, payload));
  }

  subscribe(subject: string, handler: Handler): Subscription {
    if (this.#closing.signal.aborted) throw this.#unavailable(`no subscription to ${subject}`);
    const subscription = new LiveSubscription({
      subject,
      handler,
      log: this.#log,
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
    listener(this.connected, this.#detail);
    return () => this.#listeners.delete(listener);
  }

  renew(): Promise<void> {
    const renewal = this.#renewal.then(() => this.#renew());
    this.#renewal = renewal.catch(() => undefined);
    return renewal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    this.#closing.abort();
    await this.#renewal;
    for (const subscription of [...this.#subscriptions]) subscription.unsubscribe();
    const running = [...this.#leaving].flatMap((subscription) => [...subscription.running]);
    if (!(await within(HANDLERS_DEADLINE_MS, Promise.all(running))))
      this.#log.warn('transport.close-late', { deadlineMs: HANDLERS_DEADLINE_MS });
    await this.#connection?.close();
    await this.#loop;
    await within(HANDLERS_DEADLINE_MS, Promise.all(this.#retiring));
    this.#down('the transport is closed');
    this.#listeners.clear();
  }

  async #connectForEver(firstDone: () => void): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        const connection = await this.#dial();
        for (const subscription of this.#subscriptions) subscription.attach(connection);
        this.#up(connection);
        firstDone();
        await this.#gone();
      } catch (thrown) {
        this.#failed(thrown);
        firstDone();
      }
      if (!signal.aborted) await this.#attempts.pause(signal);
    }
  }

  /** Of the present connection, and of those that replace it. */
  async #gone(): Promise<void> {
    while (this.#connection !== undefined) {
      const connection = this.#connection;
      const why = await connection.gone;
      await this.#replacing;
      if (this.#connection !== connection) continue;
      this.#connection = undefined;
      if (why === undefined) this.#down(`the broker ${this.#broker} is gone`);
      else this.#failed(why);
    }
  }

  /** Errors: as of `dial`, what `credentials` throws; and `cancelled` when this is closing. */
  async #dial(): Promise<BrokerConnection> {
    const nats = await dial(this.#options, this.#options.credentials?.());
    const connection = new BrokerConnection(nats, this.#broker, (event) => this.#told(event));
    if (!this.#closing.signal.aborted) return connection;
    await connection.close();
    throw new LimpetError('cancelled', 'the transport is closing');
  }

  async #renew(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const before = this.#connection;
    if (before === undefined) {
      this.#attempts.now();
      return;
    }
    const next = await this.#dial().catch((thrown: unknown) => {
      throw this.#error(connectionDetail(thrown, this.#broker, this.#credentials()));
    });
    if (this.#connection === before) this.#replacing = this.#replace(before, next);
    else await next.close();
    await this.#replacing;
  }

  async #replace(before: BrokerConnection, next: BrokerConnection): Promise<void> {
    const taken = [...this.#subscriptions];
    await replace({ before, next, gate: this.#gate }, taken);
    for (const subscription of this.#subscriptions)
      if (!taken.includes(subscription)) subscription.attach(next);
    this.#denials.clear();
    this.#up(next);
    this.#gate.open();
    const retiring = before
      .retire(RETIRE_DEADLINE_MS)
      .finally(() => this.#retiring.delete(retiring));
    this.#retiring.add(retiring);
  }

  #told({ type, permissionContext, data }: Status): void {
    if (permissionContext !== undefined) this.#denials.note(permissionContext);
    else if (type === Events.Error)
      this.#log.warn('transport.error', { detail: JSON.stringify(data) });
  }

  #failed(thrown: unknown): void {
    const detail = connectionDetail(thrown, this.#broker, this.#credentials());
    this.#attempts.failed(detail.startsWith(REFUSED));
    this.#down(detail);
  }

  #credentials() {
    try {
      return this.#options.credentials?.();
    } catch {
      return undefined;
    }
  }

  #up(connection: BrokerConnection): void {
    const anew = this.#connection === undefined;
    if (anew) this.#denials.clear();
    this.#connection = connection;
    this.#attempts.succeeded();
    this.#detail = `connected to the broker ${connection.nats.getServer()}`;
    this.#log.info('transport.connection', { connected: true, detail: this.#detail, anew });
    if (anew) this.#tell();
  }

  #down(detail: string): void {
    if (detail === this.#detail) return;
    this.#detail = detail;
    this.#log.warn('transport.connection', { connected: false, detail });
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener(this.connected, this.#detail);
  }

  #check(subject: string, payload: Uint8Array): void {
    if (BAD_SUBJECT.test(subject)) {
      throw new LimpetError(
        'invalid-argument',
        `'${subject}' is not a subject that can be sent to`,
      );
    }
    if (!this.connected) throw this.#unavailable(`nothing was sent on ${subject}`);
    if (payload.length > this.maxPayload) {
      const sizes = `${payload.length} bytes for ${subject}, the broker takes at most ${this.maxPayload}`;
      throw new LimpetError('too-large', `the message is too large: ${sizes}`);
    }
  }

  #unavailable(consequence: string): LimpetError {
    return this.#error(`${this.#detail}; ${consequence}`);
  }

  #error(message: string): LimpetError {
    return new LimpetError(
      message.startsWith(REFUSED) ? 'permission-denied' : 'unavailable',
      message,
    );
  }
}
