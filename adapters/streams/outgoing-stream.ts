/** The sending half of one stream: reads the source only while the window has room. */
import { messageOf } from '../../core/errors.ts';
import { CHUNK_BYTES, encodeData, encodeEnd, numberAfter, WINDOW_BYTES } from './frames.ts';
import { StreamClosed, type StreamEnd } from './port.ts';

export interface OutgoingOptions {
  readonly open: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
  /** Publishes to the reader; what it throws ends the stream. */
  readonly send: (payload: Uint8Array) => void;
  /** At most CHUNK_BYTES are sent at once, and no more than this. */
  readonly mostBytes: number;
}

export class OutgoingStream {
  readonly #send: (payload: Uint8Array) => void;
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #chunkBytes: number;
  readonly #ended = new AbortController();
  #ending: StreamEnd | undefined;
  #next = 0;
  #sent = 0;
  #consumed = 0;
  /** Ends the present wait, for room or for the source. */
  #wake: (() => void) | undefined;

  constructor({ open, send, mostBytes }: OutgoingOptions) {
    this.#send = send;
    this.#source = open(this.#ended.signal)[Symbol.asyncIterator]();
    this.#chunkBytes = Math.max(1, Math.min(CHUNK_BYTES, mostBytes));
  }

  /** Number of the next chunk. */
  get next(): number {
    return this.#next;
  }

  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  /** Everything that the reader has consumed so far, in bytes. */
  credit(bytes: number): void {
    this.#consumed = Math.max(this.#consumed, Math.min(bytes, this.#sent));
    this.#wake?.();
  }

  /** Ends it from outside; the first reason wins. */
  stop(end: StreamEnd): void {
    if (this.#ending !== undefined) return;
    this.#ending = end;
    this.#ended.abort();
    this.#wake?.();
  }

  /** Sends until the source or the stream has ended; never rejects. */
  async run(): Promise<void> {
    const end = await this.#pump().catch((thrown: unknown): StreamEnd =>
      thrown instanceof StreamClosed ? thrown.end : { code: 'error', message: messageOf(thrown) },
    );
    this.stop(end);
    this.#sendEnd(this.#ending ?? end);
  }

  /** After `run`: resolves when the source has let go of what it holds. */
  async close(): Promise<void> {
    await Promise.resolve(this.#source.return?.()).catch(() => undefined);
  }

  async #pump(): Promise<StreamEnd> {
    for (;;) {
      const next = await this.#read();
      if (this.#ending !== undefined) return this.#ending;
      if (next === undefined || next.done === true) return { code: 'finished', message: '' };
      for (let at = 0; at < next.value.length; at += this.#chunkBytes) {
        await this.#sendData(next.value.subarray(at, at + this.#chunkBytes));
        if (this.#ending !== undefined) return this.#ending;
      }
    }
  }

  /** undefined when the stream was stopped meanwhile. */
  #read(): Promise<IteratorResult<Uint8Array> | undefined> {
    return new Promise((resolve, reject) => {
      this.#wake = () => {
        if (this.#ending !== undefined) resolve(undefined);
      };
      if (this.#ending === undefined) this.#source.next().then(resolve, reject);
      else resolve(undefined);
    });
  }

  async #sendData(bytes: Uint8Array): Promise<void> {
    while (
      this.#ending === undefined &&
      this.#sent - this.#consumed + bytes.length > WINDOW_BYTES
    ) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#ending !== undefined) return;
    this.#send(encodeData(this.#next, bytes));
    this.#next = numberAfter(this.#next);
    this.#sent += bytes.length;
  }

  /** Without a connection nobody hears it; the reader's side ends by its own watch. */
  #sendEnd(end: StreamEnd): void {
    try {
      this.#send(encodeEnd(this.#next, end));
    } catch {
      return;
    }
  }
}
