/**
 * The guest's linear memory as WASI calls see it. Every access is checked: a bad pointer ends the call with EFAULT.
 * Views are made anew when the memory has grown, because growing detaches the old buffer.
 */
import { ERRNO, WasiError } from './errno.ts';

const MAX_VECTORS = 1024;

export class GuestMemory {
  readonly #source: () => WebAssembly.Memory | undefined;
  #view = new DataView(new ArrayBuffer(0));

  constructor(source: () => WebAssembly.Memory | undefined) {
    this.#source = source;
  }

  /** Bytes now; 0 before the instance exists. */
  get byteLength(): number {
    return this.#source()?.buffer.byteLength ?? 0;
  }

  bytes(pointer: number, length: number): Uint8Array {
    const at = this.#at(pointer, length >>> 0);
    return new Uint8Array(this.#view.buffer, at, length >>> 0);
  }

  text(pointer: number, length: number): string {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(this.bytes(pointer, length));
    } catch (thrown) {
      throw thrown instanceof TypeError ? new WasiError(ERRNO.ilseq) : thrown;
    }
  }

  getU8(pointer: number): number {
    const at = this.#at(pointer, 1);
    return this.#view.getUint8(at);
  }

  getU16(pointer: number): number {
    const at = this.#at(pointer, 2);
    return this.#view.getUint16(at, true);
  }

  getU32(pointer: number): number {
    const at = this.#at(pointer, 4);
    return this.#view.getUint32(at, true);
  }

  getU64(pointer: number): bigint {
    const at = this.#at(pointer, 8);
    return this.#view.getBigUint64(at, true);
  }

  setU8(pointer: number, value: number): void {
    const at = this.#at(pointer, 1);
    this.#view.setUint8(at, value);
  }

  setU16(pointer: number, value: number): void {
    const at = this.#at(pointer, 2);
    this.#view.setUint16(at, value, true);
  }

  setU32(pointer: number, value: number): void {
    const at = this.#at(pointer, 4);
    this.#view.setUint32(at, value, true);
  }

  setU64(pointer: number, value: bigint): void {
    const at = this.#at(pointer, 8);
    this.#view.setBigUint64(at, value, true);
  }

  setBytes(pointer: number, data: Uint8Array): void {
    this.bytes(pointer, data.byteLength).set(data);
  }

  /** The pieces of an iovec array, empty ones left out. */
  vectors(pointer: number, count: number): readonly Uint8Array[] {
    if (count >>> 0 > MAX_VECTORS) throw new WasiError(ERRNO.inval);
    const pieces: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const length = this.getU32((pointer >>> 0) + i * 8 + 4);
      if (length > 0) pieces.push(this.bytes(this.getU32((pointer >>> 0) + i * 8), length));
    }
    return pieces;
  }

  /** Refreshes the view, so call it before using that, and answers the checked address. */
  #at(pointer: number, length: number): number {
    const memory = this.#source();
    if (memory === undefined) throw new WasiError(ERRNO.nosys);
    if (this.#view.buffer !== memory.buffer) this.#view = new DataView(memory.buffer);
    const at = pointer >= 0 ? pointer : pointer >>> 0;
    if (!Number.isInteger(at) || at + length > this.#view.byteLength)
      throw new WasiError(ERRNO.fault);
    return at;
  }
}
