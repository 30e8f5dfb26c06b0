/** The sending half of one stream: reads the source only while the window has room. */
import { messageOf } from '../../core/errors.ts';
import type { ChunkBuffers } from './chunk-buffers.ts';
import {
  CHUNK_BYTES,
  encodeEnd,
  HEAD_BYTES,
  numberAfter,
  WINDOW_BYTES,
  writeDataHead,
} from './frames.ts';
import { StreamClosed, type Piece, type StreamEnd } from './port.ts';

export interface OutgoingOptions {
  readonly open: (signal: AbortSignal) => AsyncIterable<Piece>;
  /** Publishes to the reader; what it throws ends the stream. */
  readonly send: (payload: Uint8Array) => void;
  readonly buffers: ChunkBuffers;
  /** At most CHUNK_BYTES are sent at once, and no more than this. */
  readonly mostBytes: number;
}

export class OutgoingStream {
  readonly #send: (payload: Uint8Array) => void;
  readonly #source: AsyncIterator<Piece>;
  readonly #buffers: ChunkBuffers;
  readonly #chunkBytes: number;
  readonly #ended = new AbortController();
  #ending: StreamEnd | undefined;
  #next = 0;
  #sent = 0;
  #consumed = 0;
  /** Chunks that the reader has not consumed, and what it will have when it has. */
  readonly #under: { readonly chunk: Buffer; readonly until: number }[] = [];
  /** Ends the present wait, for room or for the source. */
  #wake: (() => void) | undefined;

  constructor({ open, send, buffers, mostBytes }: OutgoingOptions) {
    this.#send = send;
    this.#buffers = buffers;
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
    // What has been read has left every buffer on its way.
    while (this.#under[0] !== undefined && this.#under[0].until <= this.#consumed) {
      this.#buffers.giveBack(this.#under[0].chunk);
      this.#under.shift();
    }
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
      for (const chunk of this.#chunksOf(next.value)) {
        await this.#sendData(chunk);
        if (this.#ending !== undefined) return this.#ending;
      }
    }
  }

  /** undefined when the stream was stopped meanwhile. */
  #read(): Promise<IteratorResult<Piece> | undefined> {
    return new Promise((resolve, reject) => {
      this.#wake = () => {
        if (this.#ending !== undefined) resolve(undefined);
      };
      if (this.#ending === undefined) this.#source.next().then(resolve, reject);
      else resolve(undefined);
    });
  }

  /** Each with room for its head. */
  *#chunksOf(piece: Piece): Generator<Buffer> {
    const parts = piece instanceof Uint8Array ? [piece] : piece;
    let left = parts.reduce((sum, { length }) => sum + length, 0);
    let chunk: Buffer = Buffer.alloc(0);
    let at = 0;
    for (const part of parts)
      for (let from = 0; from < part.length;) {
        if (at === chunk.length) {
          chunk = this.#buffers.take(HEAD_BYTES + Math.min(left, this.#chunkBytes));
          at = HEAD_BYTES;
        }
        const size = Math.min(part.length - from, chunk.length - at);
        chunk.set(part.subarray(from, from + size), at);
        from += size;
        at += size;
        left -= size;
        if (at === chunk.length) yield chunk;
      }
  }

  async #sendData(chunk: Buffer): Promise<void> {
    const bytes = chunk.length - HEAD_BYTES;
    while (this.#ending === undefined && this.#sent - this.#consumed + bytes > WINDOW_BYTES) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#ending !== undefined) return;
    writeDataHead(chunk, this.#next);
    this.#send(chunk);
    this.#next = numberAfter(this.#next);
    this.#sent += bytes;
    this.#under.push({ chunk, until: this.#sent });
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
