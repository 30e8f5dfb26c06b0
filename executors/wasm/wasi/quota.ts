/** How much a guest may add to its writable mounts: bytes and files. What it removes is given back. */
import { ERRNO, WasiError } from './errno.ts';

export class Quota {
  readonly #maxBytes: number;
  readonly #maxFiles: number;
  #bytes = 0;
  #files = 0;

  constructor(maxBytes: number, maxFiles: number) {
    this.#maxBytes = maxBytes;
    this.#maxFiles = maxFiles;
  }

  /** A file grows from `before` to `after` bytes, or shrinks. */
  resize(before: number, after: number): void {
    if (after > before && this.#bytes + after - before > this.#maxBytes)
      throw new WasiError(ERRNO.nospc);
    this.#bytes = Math.max(0, this.#bytes + after - before);
  }

  addFile(): void {
    if (this.#files >= this.#maxFiles) throw new WasiError(ERRNO.nospc);
    this.#files += 1;
  }

  removeFile(sizeBytes: number): void {
    this.#files = Math.max(0, this.#files - 1);
    this.#bytes = Math.max(0, this.#bytes - sizeBytes);
  }
}
