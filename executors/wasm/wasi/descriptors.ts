/** The guest's open files. 0, 1, 2 are the standard streams, 3 is the root directory of the tree. */
import fs from 'node:fs';
import { ERRNO, WasiError } from './errno.ts';
import { placeOf, release, type Place, type TreeNode } from './tree.ts';

const MAX_OPEN = 512;
export const FIRST_PREOPEN = 3;

export interface InputStream {
  readonly kind: 'input';
  /** Undefined is an empty stdin. */
  readonly fd: number | undefined;
  position: number;
}

export interface OutputStream {
  readonly kind: 'output';
  write(pieces: readonly Uint8Array[]): number;
}

export interface OpenDirectory {
  readonly kind: 'directory';
  readonly place: Place;
  readonly preopen?: string;
  /** Kept from the first read of the listing on, so that cookies stay valid. */
  listing?: readonly DirectoryEntry[];
}

export interface OpenFile {
  readonly kind: 'file';
  readonly fd: number;
  readonly rights: bigint;
  readonly readOnly: boolean;
  append: boolean;
  position: number;
}

export interface DirectoryEntry {
  readonly name: Uint8Array;
  readonly type: number;
}

export type Descriptor = InputStream | OutputStream | OpenDirectory | OpenFile;

export interface Streams {
  /** A host file that the guest reads as stdin. */
  readonly stdin: number | undefined;
  readonly stdout: (pieces: readonly Uint8Array[]) => number;
  readonly stderr: (pieces: readonly Uint8Array[]) => number;
}

export class Descriptors {
  readonly #open = new Map<number, Descriptor>();

  constructor(streams: Streams, root: TreeNode) {
    this.#open.set(0, { kind: 'input', fd: streams.stdin, position: 0 });
    this.#open.set(1, { kind: 'output', write: streams.stdout });
    this.#open.set(2, { kind: 'output', write: streams.stderr });
    this.#open.set(FIRST_PREOPEN, { kind: 'directory', place: placeOf(root), preopen: '/' });
  }

  get(fd: number): Descriptor {
    const descriptor = this.#open.get(fd);
    if (descriptor === undefined) throw new WasiError(ERRNO.badf);
    return descriptor;
  }

  file(fd: number): OpenFile {
    const descriptor = this.get(fd);
    if (descriptor.kind === 'directory') throw new WasiError(ERRNO.isdir);
    if (descriptor.kind !== 'file') throw new WasiError(ERRNO.spipe);
    return descriptor;
  }

  directory(fd: number): OpenDirectory {
    const descriptor = this.get(fd);
    if (descriptor.kind !== 'directory') throw new WasiError(ERRNO.notdir);
    return descriptor;
  }

  /** Throws `mfile` before anything is opened for the guest. */
  reserve(): void {
    if (this.#open.size >= MAX_OPEN) throw new WasiError(ERRNO.mfile);
  }

  add(descriptor: Descriptor): number {
    let fd = FIRST_PREOPEN + 1;
    while (this.#open.has(fd)) fd += 1;
    this.#open.set(fd, descriptor);
    return fd;
  }

  close(fd: number): void {
    const descriptor = this.get(fd);
    this.#open.delete(fd);
    if (descriptor.kind === 'file') fs.closeSync(descriptor.fd);
    if (descriptor.kind === 'input' && descriptor.fd !== undefined) fs.closeSync(descriptor.fd);
    if (descriptor.kind === 'directory') release(descriptor.place);
  }

  /** The guest is gone: all that it held of the host. Mounts belong to the tree. */
  closeAll(): void {
    for (const fd of [...this.#open.keys()]) this.close(fd);
  }

  renumber(from: number, to: number): void {
    const descriptor = this.get(from);
    this.get(to);
    if (from === to) return;
    this.close(to);
    this.#open.delete(from);
    this.#open.set(to, descriptor);
  }
}
