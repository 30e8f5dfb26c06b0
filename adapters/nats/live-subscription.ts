/**
 * One subscription that outlives connections: it is attached to each new one. Handlers are started in the order of
 * arrival and run concurrently. Bound: MAX_RUNNING handlers; a message beyond that is dropped with a warning, as core
 * NATS may drop any message, and its sender sees a time-out.
 *
 * On its way from one connection to the next (`join`, `leave`, `release`) it is attached to both, so that none is
 * missed. What comes by the new one waits until all of the old one is there: the order stays. A request that came by both
 * is handled once, known by its reply subject; what asks for no answer is handled twice then, and its receivers number it.
 */
import type { Msg, Subscription as NatsSubscription } from 'nats';
import { messageOf } from '../../core/errors.ts';
import type { Logger } from '../log/port.ts';
import type { BrokerConnection } from './broker-connection.ts';
import type { Subscription, Transport } from './port.ts';

export const MAX_RUNNING = 16_384;

export type Handler = Parameters<Transport['subscribe']>[1];

export interface LiveSubscriptionOptions {
  readonly subject: string;
  readonly handler: Handler;
  readonly log: Logger;
  readonly onEnd: (subscription: LiveSubscription) => void;
}

/** Of a move: what came by the next connection, and the requests that came by the one before meanwhile. */
interface Moving {
  readonly next: BrokerConnection;
  readonly held: Msg[];
  readonly seen: Set<string>;
}

export class LiveSubscription implements Subscription {
  readonly #options: LiveSubscriptionOptions;
  readonly #running = new Set<Promise<void>>();
  #attached: NatsSubscription | undefined;
  /** At the next connection, from `join` on. */
  #joined: NatsSubscription | undefined;
  #moving: Moving | undefined;
  /** Requests of the last two moves that were handled, and whose second copy may still be on its way. */
  #handled: readonly Set<string>[] = [];
  #overloaded = false;
  #ended = false;

  constructor(options: LiveSubscriptionOptions) {
    this.#options = options;
  }

  get running(): ReadonlySet<Promise<void>> {
    return this.#running;
  }

  attach(connection: BrokerConnection): void {
    if (this.#attached?.isClosed() === false) this.#attached.unsubscribe();
    this.#attached = this.#listen(connection);
  }

  /** Begins to move to `next`. */
  join(next: BrokerConnection): void {
    this.#moving = { next, held: [], seen: new Set() };
    this.#joined = this.#listen(next);
  }

  /** Resolves when nothing more can come by the connection before. */
  async leave(): Promise<void> {
    if (this.#attached?.isClosed() === false) await this.#attached.drain();
  }

  /** The move is over: what has waited is handled, but for what was handled before. */
  release(): void {
    if (this.#moving === undefined) return;
    const { held, seen, next } = this.#moving;
    this.#moving = undefined;
    this.#attached = this.#joined;
    this.#handled = [seen, ...this.#handled.slice(0, 1)];
    for (const message of held) this.#arrived(message, next);
  }

  unsubscribe(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const attached of [this.#attached, this.#joined])
      if (attached?.isClosed() === false) attached.unsubscribe();
    this.#options.onEnd(this);
  }

  #listen(connection: BrokerConnection): NatsSubscription {
    return connection.nats.subscribe(this.#options.subject, {
      callback: (failed, message) => {
        // What is not allowed the transport hears too, and tells.
        if (failed === null) this.#arrived(message, connection);
      },
    });
  }

  #arrived(message: Msg, by: BrokerConnection): void {
    if (this.#moving?.next === by) {
      this.#moving.held.push(message);
      return;
    }
    if (isRequest(message)) {
      if (this.#handled.some((seen) => seen.delete(message.reply))) return;
      this.#moving?.seen.add(message.reply);
    }
    this.#take(message, by);
  }

  #take(message: Msg, by: BrokerConnection): void {
    if (this.#ended) return;
    if (this.#running.size >= MAX_RUNNING) {
      if (!this.#overloaded)
        this.#options.log.warn('transport.overloaded', { subject: this.#options.subject });
      this.#overloaded = true;
      return;
    }
    this.#overloaded = false;
    const run = by.during(this.#handle(message, by)).finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /**
   * Runs synchronously up to the handler's first await, so that handlers start in order. The answer takes the way of the
   * question: a broker may let that connection alone give it.
   */
  async #handle(message: Msg, by: BrokerConnection): Promise<void> {
    const { handler, log } = this.#options;
    try {
      const answer = await handler({ subject: message.subject, payload: message.data });
      if (answer !== undefined && isRequest(message)) by.publish(message.reply, answer);
    } catch (thrown) {
      log.error('transport.handler-failed', { subject: message.subject, error: messageOf(thrown) });
    }
  }
}

function isRequest(message: Msg): message is Msg & { readonly reply: string } {
  return message.reply !== undefined && message.reply !== '';
}
