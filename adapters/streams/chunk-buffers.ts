/**
 * Memory for chunks, used again: a log that is read at full speed would leave a heap of buffers behind it, whose collection
 * costs a third of the sending. Buffers that nobody gives back are left to the collector.
 */
import { CHUNK_BYTES, HEAD_BYTES } from './frames.ts';

const MESSAGE_BYTES = HEAD_BYTES + CHUNK_BYTES;
/** Smaller ones are cheap. */
const LEAST_BYTES = MESSAGE_BYTES / 2;
/** Two streams at full speed. */
const MOST_KEPT = 8;

export class ChunkBuffers {
  readonly #free: ArrayBuffer[] = [];

  /** Of at most a chunk and its head; what is in it is no matter. */
  take(bytes: number): Buffer {
    if (bytes < LEAST_BYTES) return Buffer.allocUnsafe(bytes);
    const memory = this.#free.pop() ?? new ArrayBuffer(MESSAGE_BYTES);
    return Buffer.from(memory, 0, bytes);
  }

  /** Nobody reads it any more. */
  giveBack({ buffer }: Buffer): void {
    if (buffer instanceof ArrayBuffer && buffer.byteLength === MESSAGE_BYTES)
      if (this.#free.length < MOST_KEPT) this.#free.push(buffer);
  }
}
