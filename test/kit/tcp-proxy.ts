/** A TCP proxy before a server: it cuts, swallows what goes in one direction or both, delays and throttles. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './nats-server.ts';
import type { Teardown } from './teardown.ts';

export type Direction = 'to-server' | 'to-client';

export interface Pace {
  readonly delayMs?: number;
  readonly bytesPerSecond?: number;
}

export async function startTcpProxy(t: Teardown, targetPort: number): Promise<TcpProxy> {
  const proxy = new TcpProxy(await freePort(), targetPort);
  await proxy.listen();
  t.teardown(() => proxy.close());
  return proxy;
}

/** What passes on, as it comes. */
export type Taker = (bytes: Buffer) => void;

export class TcpProxy {
  readonly port: number;
  readonly #target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #isCut = false;
  #swallowed: readonly Direction[] = [];
  /** Bytes of the swallowed directions that still pass. */
  #left = 0;
  #pace: Pace = {};

  constructor(port: number, target: number) {
    this.port = port;
    this.#target = target;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** As of a broker. */
  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(this.port, '127.0.0.1', done));
  }

  /** Every connection breaks, and none is taken. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Connections stay and are taken, and not one byte passes in these directions once so many have passed. */
  swallow(directions: readonly Direction[] = ['to-server', 'to-client'], afterBytes = 0): void {
    this.#swallowed = directions;
    this.#left = afterBytes;
  }

  /** Of what comes from now on; order stays. */
  slow(pace: Pace): void {
    this.#pace = pace;
  }

  /** Connections that have lost bytes are broken, as a path that has failed for long breaks them. */
  heal(): void {
    if (this.#swallowed.length > 0) for (const socket of this.#sockets) socket.destroy();
    this.#isCut = false;
    this.#swallowed = [];
    this.#pace = {};
  }

  async close(): Promise<void> {
    this.cut();
    for (const timer of this.#timers) clearTimeout(timer);
    await new Promise((done) => this.#server.close(done));
  }

  /** What becomes of the bytes of one client. */
  protected toServer(server: Socket): Taker {
    return (bytes) => void server.write(bytes);
  }

  /** Runs it later, unless the proxy is closed by then. */
  protected later(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
  }

  #accept(client: Socket): void {
    if (this.#isCut) {
      client.destroy();
      return;
    }
    const server = connect(this.#target, '127.0.0.1');
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    this.#pass(client, 'to-server', this.toServer(server));
    this.#pass(server, 'to-client', (bytes) => void client.write(bytes));
  }

  #pass(from: Socket, direction: Direction, take: Taker): void {
    from.on('data', (bytes: Buffer) => {
      const passed = this.#swallowed.includes(direction) ? bytes.subarray(0, this.#left) : bytes;
      if (this.#swallowed.includes(direction)) this.#left -= passed.length;
      if (passed.length > 0) this.#paced(from, passed, take);
    });
  }

  /** With a rate the sender is held back by its own window. */
  #paced(from: Socket, bytes: Buffer, take: Taker): void {
    const { delayMs = 0, bytesPerSecond } = this.#pace;
    if (delayMs === 0) take(bytes);
    else this.later(delayMs, () => take(bytes));
    if (bytesPerSecond === undefined) return;
    from.pause();
    this.later((bytes.length * 1000) / bytesPerSecond, () => from.resume());
  }
}
