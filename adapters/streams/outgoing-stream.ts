/** The sending half of one stream: reads the source only while the window has room. */
import { messageOf } from '../../core/errors.ts';
import { CHUNK_BYTES, encodeData, encodeEnd, WINDOW_BYTES } from './frames.ts';
import type { StreamEnd } from './port.ts';

export class OutgoingStream {
  readonly #send: (payload: Uint8Array) => void;
  readonly #source: AsyncIterator<Uint8Array>;
  #ending: StreamEnd | undefined;
  #sequence = 0;
  #sent = 0;
  #consumed = 0;
  /** Ends the present wait, for room or for the source. */
  #wake: (() => void) | undefined;

  /** `send` publishes to the reader; what it throws ends the stream. */
  constructor(source: AsyncIterable<Uint8Array>, send: (payload: Uint8Array) => void) {
    this.#send = send;
    this.#source = source[Symbol.asyncIterator]();
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
    this.#wake?.();
  }

  /** Sends until the source or the stream has ended; never rejects. The source is returned in any case. */
  async run(): Promise<void> {
    const end = await this.#pump().catch((thrown: unknown): StreamEnd => ({
      code: 'error',
      message: messageOf(thrown),
    }));
    this.stop(end);
    this.#sendEnd(end);
    // Not awaited: a generator that is suspended in its own read returns only when that read ends.
    void Promise.resolve(this.#source.return?.()).catch(() => undefined);
  }

  async #pump(): Promise<StreamEnd> {
    for (;;) {
      const next = await this.#next();
      if (this.#ending !== undefined) return this.#ending;
      if (next === undefined || next.done === true) return { code: 'finished', message: '' };
      for (let at = 0; at < next.value.length; at += CHUNK_BYTES) {
        await this.#sendData(next.value.subarray(at, at + CHUNK_BYTES));
        if (this.#ending !== undefined) return this.#ending;
      }
    }
  }

  /** undefined when the stream was stopped meanwhile. */
  #next(): Promise<IteratorResult<Uint8Array> | undefined> {
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
    this.#send(encodeData(this.#sequence, bytes));
    this.#sequence += 1;
    this.#sent += bytes.length;
  }

  /** Without a connection nobody hears it; the reader's side ends by its own watch. */
  #sendEnd(end: StreamEnd): void {
    try {
      this.#send(encodeEnd(this.#sequence, end));
    } catch {
      return;
    }
  }
}
