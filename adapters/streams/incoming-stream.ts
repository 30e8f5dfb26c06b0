/** The reading half of one stream. Holds at most a window of bytes; one reader. */
import { LimpetError, messageOf } from '../../core/errors.ts';
import {
  CHUNK_BYTES,
  decodeChunk,
  isBefore,
  numberAfter,
  WINDOW_BYTES,
  type Chunk,
  type Credit,
} from './frames.ts';
import type { IncomingStream, StreamEnd } from './port.ts';

export interface ReaderOptions {
  /** Tells the agent; a lost credit is made good by the next one, which is cumulative, or by the heartbeat. Never throws. */
  readonly sendCredit: (credit: Credit) => void;
  /** Called once, when nothing more is taken. */
  readonly onClosed: () => void;
}

const DONE = { done: true, value: undefined } as const;

export class StreamReader implements IncomingStream {
  readonly #options: ReaderOptions;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #consumed = 0;
  #credited = 0;
  /** Number of the next chunk. */
  #next = 0;
  /** What that number must have come to by the next heartbeat. */
  #due = 0;
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

  /** In bytes. */
  get consumed(): number {
    return this.#consumed;
  }

  /** One message of the agent, in the order of arrival. */
  take(payload: Uint8Array): void {
    if (this.#closing !== undefined) return;
    let chunk: Chunk;
    try {
      chunk = decodeChunk(payload);
    } catch (thrown) {
      this.fail({ code: 'error', message: messageOf(thrown) });
      return;
    }
    // It came twice.
    if (isBefore(chunk.sequence, this.#next)) return;
    if (chunk.sequence !== this.#next) {
      this.#broken(`chunk ${chunk.sequence} came where ${this.#next} was expected`);
    } else if (chunk.kind === 'end') {
      this.close(chunk.end);
    } else if (this.#queuedBytes + chunk.bytes.length > WINDOW_BYTES) {
      this.#broken('the agent sent more than the window');
    } else {
      this.#next = numberAfter(this.#next);
      this.#queuedBytes += chunk.bytes.length;
      this.#queue.push(chunk.bytes);
      this.#wake?.();
    }
  }

  /** By its heartbeat the agent will send this chunk next. What it sent before must be here one heartbeat later. */
  expect(next: number): void {
    if (isBefore(this.#next, this.#due)) this.#broken(`chunk ${this.#next} was lost on its way`);
    this.#due = next;
  }

  /** No more will come; what is queued can still be read. The first reason wins. */
  close(end: StreamEnd): void {
    if (this.#closing !== undefined) return;
    this.#closing = end;
    this.#options.onClosed();
    this.#wake?.();
  }

  /** The same, and the agent is told. */
  fail(end: StreamEnd): void {
    if (this.#closing !== undefined) return;
    this.#options.sendCredit({ cancel: true });
    this.close(end);
  }

  cancel(): void {
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.fail({ code: 'reader-gone', message: 'the reader left' });
    this.#end = this.#closing;
  }

  /** Leaving it in any way, also before the first chunk, is a `cancel`. */
  chunks(): AsyncIterableIterator<Uint8Array> {
    if (this.#taken) throw new LimpetError('conflict', 'a stream has one reader');
    this.#taken = true;
    /** Yielded, and not known as consumed before the next is asked for. */
    let yielded = 0;
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      this.#consume(yielded);
      yielded = 0;
      const bytes = await this.#shift();
      if (bytes === undefined) return leave();
      yielded = bytes.length;
      return { done: false, value: bytes };
    };
    const leave = (): Promise<IteratorResult<Uint8Array>> => {
      this.cancel();
      return Promise.resolve(DONE);
    };
    const iterator = { next, return: leave, [Symbol.asyncIterator]: () => iterator };
    return iterator;
  }

  /** undefined when there is nothing more. */
  async #shift(): Promise<Uint8Array | undefined> {
    for (;;) {
      const bytes = this.#queue.shift();
      if (bytes !== undefined || this.#closing !== undefined) return bytes;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #consume(bytes: number): void {
    this.#queuedBytes = Math.max(0, this.#queuedBytes - bytes);
    this.#consumed += bytes;
    if (this.#closing !== undefined || this.#consumed - this.#credited < CHUNK_BYTES) return;
    this.#credited = this.#consumed;
    this.#options.sendCredit({ bytes: this.#consumed });
  }

  #broken(message: string): void {
    this.fail({ code: 'error', message });
  }
}
