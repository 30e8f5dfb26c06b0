/** A broker within the test: messages come in order and in no time, and connections break, or go deaf, when it says so. */
import type { Clock } from '../../adapters/clock/port.ts';
import type { IncomingMessage, Subscription, Transport } from '../../adapters/nats/port.ts';
import { LimpetError } from '../../core/errors.ts';

type Handler = Parameters<Transport['subscribe']>[1];

const MAX_PAYLOAD = 1024 * 1024;

export class MemoryBroker {
  readonly #clock: Clock;
  readonly #ends = new Set<MemoryTransport>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  connect(): MemoryTransport {
    const transport: MemoryTransport = new MemoryTransport({
      clock: this.#clock,
      handlers: (subject) => [...this.#ends].flatMap((each) => each.handlers(subject)),
      gone: () => this.#ends.delete(transport),
    });
    this.#ends.add(transport);
    return transport;
  }
}

interface Hub {
  readonly clock: Clock;
  handlers(subject: string): readonly Handler[];
  gone(): void;
}

export class MemoryTransport implements Transport {
  readonly maxPayload = MAX_PAYLOAD;
  readonly #hub: Hub;
  readonly #handlers = new Map<Handler, string>();
  readonly #listeners = new Set<(connected: boolean, detail: string) => void>();
  #connected = true;
  /** Nothing that is sent to it or by it comes, and neither side notices. */
  deaf = false;
  /** So many of the next messages that it sends are lost. */
  loses = 0;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** The process is killed. */
  die(): void {
    this.#handlers.clear();
    this.#listeners.clear();
    this.deaf = true;
    this.#hub.gone();
  }

  connection(connected: boolean): void {
    if (connected === this.#connected) return;
    this.#connected = connected;
    for (const listener of [...this.#listeners]) listener(connected, 'the connection broke');
  }

  handlers(subject: string): readonly Handler[] {
    if (!this.#connected) return [];
    const fitting = [...this.#handlers].filter(([, pattern]) => fits(pattern, subject));
    return fitting.map(([handler]) => async (message) => {
      // On its way while the connection went.
      if (!this.#connected || this.deaf || !this.#handlers.has(handler)) return undefined;
      return handler(message);
    });
  }

  async request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    this.#check();
    const handlers = this.#hub.handlers(subject);
    if (handlers.length === 0 && !this.deaf)
      throw new LimpetError('unavailable', `nobody answers at ${subject}`);
    return new Promise((resolve, reject) => {
      const late = new LimpetError('timeout', `no answer at ${subject}`);
      const timer = this.#hub.clock.after(timeoutMs, () => reject(late));
      const answered = (answer: Uint8Array | undefined): void => {
        if (answer === undefined || this.deaf || !this.#connected) return;
        timer.cancel();
        resolve(answer);
      };
      for (const handler of handlers) this.#deliver(handler, { subject, payload }, answered);
    });
  }

  publish(subject: string, payload: Uint8Array): void {
    this.#check();
    if (this.loses > 0) {
      this.loses -= 1;
      return;
    }
    // A connection takes the bytes as they are now: what their owner does with the memory later is no matter.
    for (const handler of this.#hub.handlers(subject))
      this.#deliver(handler, { subject, payload: Buffer.from(payload) });
  }

  subscribe(subject: string, handler: Handler): Subscription {
    this.#handlers.set(handler, subject);
    return { unsubscribe: () => void this.#handlers.delete(handler) };
  }

  async renew(): Promise<void> {
    await Promise.resolve();
  }

  onConnection(listener: (connected: boolean, detail: string) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#connected, '');
    return () => void this.#listeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
    this.die();
  }

  #check(): void {
    if (!this.#connected) throw new LimpetError('unavailable', 'the broker is away');
  }

  #deliver(
    handler: Handler,
    message: IncomingMessage,
    answered: (answer: Uint8Array | undefined) => void = () => undefined,
  ): void {
    if (this.deaf) return;
    void Promise.resolve()
      .then(() => handler(message))
      .then(answered, () => undefined);
  }
}

/** `*` is one word. */
function fits(pattern: string, subject: string): boolean {
  const [wanted, words] = [pattern.split('.'), subject.split('.')];
  return (
    wanted.length === words.length && wanted.every((word, at) => word === '*' || word === words[at])
  );
}
