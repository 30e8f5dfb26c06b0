/**
 * One subscription that outlives connections: it is attached to each new one. Handlers are started in the order of
 * arrival and run concurrently. Bound: MAX_RUNNING handlers; a message beyond that is dropped with a warning, as core
 * NATS may drop any message, and its sender sees a time-out.
 */
import type { Msg, NatsConnection, Subscription as NatsSubscription } from 'nats';
import { messageOf } from '../../core/errors.ts';
import type { Logger } from '../log/port.ts';
import type { Subscription, Transport } from './port.ts';

export const MAX_RUNNING = 16_384;

export type Handler = Parameters<Transport['subscribe']>[1];

export interface LiveSubscriptionOptions {
  readonly subject: string;
  readonly handler: Handler;
  readonly log: Logger;
  /** Sends an answer; throws when it cannot. */
  readonly respond: (reply: string, payload: Uint8Array) => void;
  readonly onEnd: (subscription: LiveSubscription) => void;
}

export class LiveSubscription implements Subscription {
  readonly #options: LiveSubscriptionOptions;
  readonly #running = new Set<Promise<void>>();
  #attached: NatsSubscription | undefined;
  #overloaded = false;
  #ended = false;

  constructor(options: LiveSubscriptionOptions) {
    this.#options = options;
  }

  get running(): ReadonlySet<Promise<void>> {
    return this.#running;
  }

  attach(connection: NatsConnection): void {
    this.#attached = connection.subscribe(this.#options.subject, {
      callback: (failed, message) => {
        if (failed === null) this.#take(message);
        else this.#denied(failed.message);
      },
    });
  }

  unsubscribe(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#attached?.isClosed() === false) this.#attached.unsubscribe();
    this.#options.onEnd(this);
  }

  #denied(detail: string): void {
    const { log, subject } = this.#options;
    log.error('transport.permission-denied', { subject, detail });
  }

  #take(message: Msg): void {
    if (this.#ended) return;
    if (this.#running.size >= MAX_RUNNING) {
      if (!this.#overloaded)
        this.#options.log.warn('transport.overloaded', { subject: this.#options.subject });
      this.#overloaded = true;
      return;
    }
    this.#overloaded = false;
    const run = this.#handle(message).finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /** Runs synchronously up to the handler's first await, so that handlers start in order. */
  async #handle(message: Msg): Promise<void> {
    const { handler, log, respond } = this.#options;
    try {
      const answer = await handler({ subject: message.subject, payload: message.data });
      if (answer !== undefined && message.reply !== undefined && message.reply !== '') {
        respond(message.reply, answer);
      }
    } catch (thrown) {
      log.error('transport.handler-failed', { subject: message.subject, error: messageOf(thrown) });
    }
  }
}
