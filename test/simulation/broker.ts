/**
 * The broker between the simulated programs. Each message takes the next fate that the script has laid out; without one it
 * arrives after a millisecond, and so does its answer.
 */
import type { IncomingMessage, Subscription, Transport } from '../../adapters/nats/port.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import { LimpetError } from '../../core/errors.ts';
import { forever, type Life } from './life.ts';

export interface Fate {
  /** The request, or only its answer, never arrives. */
  readonly lose?: 'request' | 'answer';
  /** On the way there and back, ms. */
  readonly thereMs: number;
  readonly backMs: number;
  /** It arrives a second time this much later; that answer goes nowhere. */
  readonly againMs?: number;
}

type Handler = Parameters<Transport['subscribe']>[1];

interface Subscriber {
  readonly pattern: readonly string[];
  readonly handler: Handler;
  readonly life: Life;
}

interface Request {
  readonly message: IncomingMessage;
  resolve(answer: Uint8Array): void;
  reject(error: LimpetError): void;
}

const HOP_MS = 1;
const PLAIN: Fate = { thereMs: HOP_MS, backMs: HOP_MS };

export class Broker {
  readonly #clock: Clock;
  readonly #subscribers = new Set<Subscriber>();
  readonly #listeners = new Set<(connected: boolean, detail: string) => void>();
  readonly #underWay = new Set<Request>();
  #fates: Fate[] = [];
  #up = true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get up(): boolean {
    return this.#up;
  }

  foretell(fates: readonly Fate[]): void {
    this.#fates.push(...fates);
  }

  calm(): void {
    this.#fates = [];
  }

  set up(up: boolean) {
    if (this.#up === up) return;
    this.#up = up;
    if (!up)
      for (const request of this.#underWay)
        request.reject(new LimpetError('unavailable', 'the broker is gone'));
    for (const listener of [...this.#listeners]) listener(up, this.#detail);
  }

  get #detail(): string {
    return this.#up ? 'connected' : 'the broker is gone';
  }

  connect(life: Life): Transport {
    const isUp = (): boolean => this.#up;
    return {
      maxPayload: 1_048_576,
      get connected() {
        return isUp();
      },
      request: (subject, payload, timeoutMs) =>
        this.#request(life, { subject, payload }, timeoutMs),
      publish: () => undefined,
      subscribe: (subject, handler) => this.#subscribe(life, subject, handler),
      renew: () => Promise.resolve(),
      onConnection: (listener) => this.#listen(life, listener),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  #subscribe(life: Life, subject: string, handler: Handler): Subscription {
    const subscriber = { pattern: subject.split('.'), handler, life };
    this.#subscribers.add(subscriber);
    const unsubscribe = (): void => void this.#subscribers.delete(subscriber);
    life.onEnd(unsubscribe);
    return { unsubscribe };
  }

  #listen(life: Life, listener: (connected: boolean, detail: string) => void): () => void {
    this.#listeners.add(listener);
    const leave = (): void => void this.#listeners.delete(listener);
    life.onEnd(leave);
    listener(this.#up, this.#detail);
    return leave;
  }

  #request(life: Life, message: IncomingMessage, timeoutMs: number): Promise<Uint8Array> {
    if (!life.alive) return forever();
    if (!this.#up) return Promise.reject(new LimpetError('unavailable', 'the broker is gone'));
    return new Promise((resolve, reject) => {
      const request: Request = {
        message,
        resolve: (answer) => settle(() => resolve(answer)),
        reject: (error) => settle(() => reject(error)),
      };
      const timer = life.after(timeoutMs, () =>
        request.reject(new LimpetError('timeout', `no answer on ${message.subject}`)),
      );
      const settle = (how: () => void): void => {
        this.#underWay.delete(request);
        timer.cancel();
        if (life.alive) how();
      };
      this.#underWay.add(request);
      this.#carry(request, this.#fates.shift() ?? PLAIN);
    });
  }

  #carry(request: Request, { lose, thereMs, backMs, againMs }: Fate): void {
    if (lose === 'request') return;
    this.#clock.after(thereMs, () => {
      const subscriber = this.#find(request.message.subject);
      if (subscriber === undefined)
        request.reject(
          new LimpetError('unavailable', `nobody listens on ${request.message.subject}`),
        );
      else if (this.#up)
        void this.#deliver(subscriber, request.message).then((answer) => {
          if (answer === undefined || lose === 'answer') return;
          this.#clock.after(backMs, () => {
            if (this.#up) request.resolve(answer);
          });
        });
    });
    if (againMs === undefined) return;
    this.#clock.after(thereMs + againMs, () => {
      const subscriber = this.#find(request.message.subject);
      if (subscriber !== undefined && this.#up) void this.#deliver(subscriber, request.message);
    });
  }

  /** A handler that throws answers nothing; a dead one never answers. */
  async #deliver(
    { handler, life }: Subscriber,
    message: IncomingMessage,
  ): Promise<Uint8Array | undefined> {
    try {
      return await life.gate(Promise.resolve(handler(message)));
    } catch {
      return undefined;
    }
  }

  #find(subject: string): Subscriber | undefined {
    const tokens = subject.split('.');
    return [...this.#subscribers].find(
      ({ pattern }) =>
        pattern.length === tokens.length &&
        pattern.every((token, i) => token === '*' || token === tokens[i]),
    );
  }
}
