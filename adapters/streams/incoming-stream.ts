/** The reading half of one stream. Holds at most a window of bytes; one reader. */
import { LimpetError, messageOf } from '../../core/errors.ts';
import { CHUNK_BYTES, decodeChunk, WINDOW_BYTES, type Chunk, type Credit } from './frames.ts';
import type { IncomingStream, StreamEnd } from './port.ts';

export interface ReaderOptions {
  /** Tells the agent; a lost credit is made good by the next one, which is cumulative. */
  readonly sendCredit: (credit: Credit) => void;
  /** Called once, when nothing more is taken. */
  readonly onClosed: () => void;
}

export class StreamReader implements IncomingStream {
  readonly #options: ReaderOptions;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #consumed = 0;
  #credited = 0;
  #sequence = 0;
  #closing: StreamEnd | undefined;
  #end: StreamEnd | undefined;
  #wake: (() => void) | undefined;
  #taken = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  get end(): StreamEnd | undefined {
    return this.#end;
  }

  /** One message of the agent, in the order of arrival. */
  take(payload: Uint8Array): void {
    if (this.#closing !== undefined) return;
    let chunk: Chunk;
    try {
      chunk = decodeChunk(payload);
    } catch (thrown) {
      this.#fail(messageOf(thrown));
      return;
    }
    // It came twice.
    if (chunk.sequence < this.#sequence) return;
    if (chunk.sequence !== this.#sequence) {
      this.#fail(`chunk ${chunk.sequence} came where ${this.#sequence} was expected`);
    } else if (chunk.kind === 'end') {
      this.close(chunk.end);
    } else if (this.#queuedBytes + chunk.bytes.length > WINDOW_BYTES) {
      this.#fail('the agent sent more than the window');
    } else {
      this.#sequence += 1;
      this.#queuedBytes += chunk.bytes.length;
      this.#queue.push(chunk.bytes);
      this.#wake?.();
    }
  }

  /** No more will come; what is queued can still be read. The first reason wins. */
  close(end: StreamEnd): void {
    if (this.#closing !== undefined) return;
    this.#closing = end;
    this.#options.onClosed();
    this.#wake?.();
  }

  cancel(): void {
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    if (this.#closing !== undefined) return;
    this.#options.sendCredit({ cancel: true });
    this.close({ code: 'reader-gone', message: 'the reader left' });
  }

  async *chunks(): AsyncIterable<Uint8Array> {
    if (this.#taken) throw new LimpetError('conflict', 'a stream has one reader');
    this.#taken = true;
    try {
      for (;;) {
        const bytes = this.#queue.shift();
        if (bytes !== undefined) {
          yield bytes;
          this.#consume(bytes.length);
        } else if (this.#closing !== undefined) {
          return;
        } else {
          await new Promise<void>((resolve) => (this.#wake = resolve));
        }
      }
    } finally {
      this.cancel();
      this.#end = this.#closing;
    }
  }

  #consume(bytes: number): void {
    this.#queuedBytes = Math.max(0, this.#queuedBytes - bytes);
    this.#consumed += bytes;
    if (this.#closing !== undefined || this.#consumed - this.#credited < CHUNK_BYTES) return;
    this.#credited = this.#consumed;
    this.#options.sendCredit({ bytes: this.#consumed });
  }

  #fail(message: string): void {
    this.#options.sendCredit({ cancel: true });
    this.close({ code: 'error', message });
  }
}
