/** A NATS client that is nothing but a socket: sends text, keeps what comes back. */
import { connect, type Socket } from 'node:net';
import { eventually } from '../../kit/eventually.ts';

const PONG = 'PONG\r\n';
const DEADLINE_MS = 5_000;

export class RawClient {
  readonly #socket: Socket;
  #text = '';
  #closed = false;

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setNoDelay(true);
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (text: string) => (this.#text += text));
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => (this.#closed = true));
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Takes what has come so far. */
  take(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }

  async greeted(): Promise<void> {
    await eventually('INFO', () => this.#text.includes('\r\n') || this.#closed, DEADLINE_MS);
  }

  async send(text: string): Promise<void> {
    await new Promise((resolve) => this.#socket.write(text, 'latin1', resolve));
  }

  /** Waits until the server has worked off all that was sent; the PONG for it is taken out of the text. */
  async settle(): Promise<void> {
    if (this.#closed) return;
    const before = this.#pongs();
    await this.send('PING\r\n');
    await eventually('PONG', () => this.#pongs() > before || this.#closed, DEADLINE_MS);
    const at = this.#text.lastIndexOf(PONG);
    if (at >= 0) this.#text = this.#text.slice(0, at) + this.#text.slice(at + PONG.length);
  }

  #pongs(): number {
    return this.#text.split(PONG).length - 1;
  }

  async waitForClose(): Promise<void> {
    await eventually('close', () => this.#closed, DEADLINE_MS);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
