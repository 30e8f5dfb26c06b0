/**
 * A TCP proxy before a broker. It cuts, swallows, and, knowing the frames of NATS messages, delays and repeats what clients
 * publish: messages that are delayed differently arrive in another order.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './nats-server.ts';
import type { Teardown } from './teardown.ts';

/** One entry for each copy that is passed on: after how many ms. */
export type Fate = (subject: string) => readonly number[];

const AT_ONCE: readonly number[] = [0];

export async function startProxy(t: Teardown, targetPort: number): Promise<NatsProxy> {
  const port = await freePort();
  const proxy = new NatsProxy(port, targetPort);
  await proxy.listen();
  t.teardown(() => proxy.close());
  return proxy;
}

export class NatsProxy {
  readonly url: string;
  /** What becomes of each published message. */
  fate: Fate = () => AT_ONCE;
  /** What is made of each published message, headers and all; it stays as long as it was. */
  rewrite: (frame: string) => string = (frame) => frame;
  readonly #port: number;
  readonly #target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #mode: 'pass' | 'cut' | 'swallow' = 'pass';

  constructor(port: number, target: number) {
    this.url = `nats://127.0.0.1:${port}`;
    this.#port = port;
    this.#target = target;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  async listen(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(this.#port, '127.0.0.1', done));
  }

  /** Every connection breaks, and none is taken. */
  cut(): void {
    this.#mode = 'cut';
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Connections stay and are taken, and not one byte passes: what is sent is gone. */
  swallow(): void {
    this.#mode = 'swallow';
  }

  /** Connections that have lost bytes are broken, as a path that has failed for long breaks them. */
  heal(): void {
    if (this.#mode === 'swallow') for (const socket of this.#sockets) socket.destroy();
    this.#mode = 'pass';
  }

  async close(): Promise<void> {
    this.cut();
    for (const timer of this.#timers) clearTimeout(timer);
    await new Promise((done) => this.#server.close(done));
  }

  #accept(client: Socket): void {
    if (this.#mode === 'cut') {
      client.destroy();
      return;
    }
    const broker = connect(this.#target, '127.0.0.1');
    const frames = new Frames((frame, subject) => this.#pass(broker, frame, subject));
    for (const [from, to] of [
      [client, broker],
      [broker, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    client.on('data', (bytes) => {
      if (this.#mode === 'pass') frames.push(bytes);
    });
    broker.on('data', (bytes) => {
      if (this.#mode === 'pass') client.write(bytes);
    });
  }

  #pass(broker: Socket, frame: Buffer, subject: string | undefined): void {
    const delays = subject === undefined ? AT_ONCE : this.fate(subject);
    const passed =
      subject === undefined ? frame : Buffer.from(this.rewrite(frame.toString('latin1')), 'latin1');
    if (passed.length !== frame.length)
      throw new Error('a message was rewritten to another length');
    for (const ms of delays) {
      if (ms === 0) broker.write(passed);
      else {
        const timer = setTimeout(() => {
          this.#timers.delete(timer);
          if (!broker.destroyed) broker.write(passed);
        }, ms);
        this.#timers.add(timer);
      }
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
