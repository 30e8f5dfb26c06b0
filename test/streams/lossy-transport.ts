/** A transport that loses, or refuses to send, what a test says. */
import type { IncomingMessage, Subscription, Transport } from '../../adapters/nats/port.ts';

export class LossyTransport implements Transport {
  /** True: it is lost on its way. What it throws, sending throws. */
  loses: (message: IncomingMessage) => boolean = () => false;
  readonly #inner: Transport;

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  get maxPayload(): number {
    return this.#inner.maxPayload;
  }

  get connected(): boolean {
    return this.#inner.connected;
  }

  request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return this.#inner.request(subject, payload, timeoutMs);
  }

  publish(subject: string, payload: Uint8Array): void {
    if (!this.loses({ subject, payload })) this.#inner.publish(subject, payload);
  }

  subscribe(subject: string, handler: Parameters<Transport['subscribe']>[1]): Subscription {
    return this.#inner.subscribe(subject, handler);
  }

  renew(): Promise<void> {
    return this.#inner.renew();
  }

  onConnection(listener: (connected: boolean, detail: string) => void): () => void {
    return this.#inner.onConnection(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#inner[Symbol.asyncDispose]();
  }
}
