/**
 * A TCP proxy before a broker that knows the frames of NATS messages: it delays and repeats what clients publish. Messages
 * that are delayed differently arrive in another order.
 */
import type { Socket } from 'node:net';
import { freePort } from './nats-server.ts';
import { TcpProxy, type Taker } from './tcp-proxy.ts';
import type { Teardown } from './teardown.ts';

/** One entry for each copy that is passed on: after how many ms. */
export type Fate = (subject: string) => readonly number[];

const AT_ONCE: readonly number[] = [0];

export async function startProxy(t: Teardown, targetPort: number): Promise<NatsProxy> {
  const proxy = new NatsProxy(await freePort(), targetPort);
  await proxy.listen();
  t.teardown(() => proxy.close());
  return proxy;
}

export class NatsProxy extends TcpProxy {
  /** What becomes of each published message. */
  fate: Fate = () => AT_ONCE;
  /** What is made of each published message, headers and all; it stays as long as it was. */
  rewrite: (frame: string) => string = (frame) => frame;

  protected override toServer(server: Socket): Taker {
    const frames = new Frames((frame, subject) => this.#publish(server, frame, subject));
    return (bytes) => frames.push(bytes);
  }

  #publish(broker: Socket, frame: Buffer, subject: string | undefined): void {
    const delays = subject === undefined ? AT_ONCE : this.fate(subject);
    const passed =
      subject === undefined ? frame : Buffer.from(this.rewrite(frame.toString('latin1')), 'latin1');
    if (passed.length !== frame.length)
      throw new Error('a message was rewritten to another length');
    for (const ms of delays) {
      if (ms === 0) broker.write(passed);
      else
        this.later(ms, () => {
          if (!broker.destroyed) broker.write(passed);
        });
    }
  }
}

/** Cuts what a client sends into its lines; a message and its payload are one. */
class Frames {
  #rest = Buffer.alloc(0);
  readonly #take: (frame: Buffer, subject: string | undefined) => void;

  constructor(take: (frame: Buffer, subject: string | undefined) => void) {
    this.#take = take;
  }

  push(bytes: Buffer | string): void {
    this.#rest = Buffer.concat([this.#rest, Buffer.from(bytes)]);
    for (;;) {
      const end = this.#rest.indexOf('\r\n');
      if (end === -1) return;
      const [op = '', subject, ...more] = this.#rest.subarray(0, end).toString().split(' ');
      const isMessage = /^H?PUB$/i.test(op);
      const length = end + 2 + (isMessage ? Number(more.at(-1)) + 2 : 0);
      if (this.#rest.length < length) return;
      const frame = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      this.#take(frame, isMessage ? subject : undefined);
    }
  }
}
