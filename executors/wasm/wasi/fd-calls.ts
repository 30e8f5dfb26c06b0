/** `fd_*`: what the guest does with files it has open. Positions are kept here, as Node has no lseek. */
import fs from 'node:fs';
import type { WasiCalls } from './calls.ts';
import { ERRNO, WasiError } from './errno.ts';
import { FIRST_PREOPEN, type Descriptor, type Descriptors, type OpenFile } from './descriptors.ts';
import {
  ALL_RIGHTS,
  FILETYPE,
  RIGHT,
  emptyFilestat,
  filestatOf,
  timesToSet,
  writeFdstat,
  writeFilestat,
  type Filestat,
} from './layout.ts';
import type { GuestMemory } from './memory.ts';
import type { Quota } from './quota.ts';

const APPEND = 1;

export interface FileWorld {
  readonly memory: GuestMemory;
  readonly descriptors: Descriptors;
  readonly quota: Quota;
}

export function fdCalls({ memory, descriptors, quota }: FileWorld) {
  return {
    fd_advise: (fd: number) => void descriptors.file(fd),
    fd_allocate: () => ERRNO.notsup,
    fd_close: (fd: number) => {
      if (fd === FIRST_PREOPEN) throw new WasiError(ERRNO.notsup);
      descriptors.close(fd);
    },
    fd_datasync: (fd: number) => fs.fdatasyncSync(descriptors.file(fd).fd),
    fd_sync: (fd: number) => fs.fsyncSync(descriptors.file(fd).fd),
    fd_fdstat_get: (fd: number, out: number) =>
      writeFdstat(memory, out, fdstatOf(descriptors.get(fd))),
    fd_fdstat_set_flags: (fd: number, flags: number) => {
      const descriptor = descriptors.get(fd);
      if (descriptor.kind === 'file') descriptor.append = (flags & APPEND) !== 0;
    },
    fd_fdstat_set_rights: (fd: number) => void descriptors.get(fd),
    fd_filestat_get: (fd: number, out: number) =>
      writeFilestat(memory, out, statOf(descriptors.get(fd))),
    fd_filestat_set_size: (fd: number, size: bigint) => {
      const file = writable(descriptors.file(fd));
      const after = asOffset(size);
      quota.resize(fs.fstatSync(file.fd).size, after);
      fs.ftruncateSync(file.fd, after);
    },
    fd_filestat_set_times: (fd: number, atim: bigint, mtim: bigint, flags: number) => {
      const file = writable(descriptors.file(fd));
      const times = timesToSet(flags, atim, mtim, fs.fstatSync(file.fd, { bigint: true }));
      fs.futimesSync(file.fd, times.atime, times.mtime);
    },
    fd_pread: (fd: number, vectors: number, count: number, offset: bigint, out: number) => {
      const file = readable(descriptors.file(fd));
      memory.setU32(out, readAt(file.fd, memory.vectors(vectors, count), asOffset(offset)));
    },
    fd_pwrite: (fd: number, vectors: number, count: number, offset: bigint, out: number) => {
      const file = writable(descriptors.file(fd));
      memory.setU32(out, writeAt(file, memory.vectors(vectors, count), asOffset(offset), quota));
    },
    fd_read: (fd: number, vectors: number, count: number, out: number) => {
      const pieces = memory.vectors(vectors, count);
      memory.setU32(out, read(descriptors.get(fd), pieces));
    },
    fd_write: (fd: number, vectors: number, count: number, out: number) => {
      const pieces = memory.vectors(vectors, count);
      memory.setU32(out, 0);
      memory.setU32(out, write(descriptors.get(fd), pieces, quota));
    },
    fd_prestat_get: (fd: number, out: number) => {
      const { preopen } = descriptors.directory(fd);
      if (preopen === undefined) throw new WasiError(ERRNO.badf);
      memory.setU32(out, 0);
      memory.setU32((out >>> 0) + 4, Buffer.byteLength(preopen));
    },
    fd_prestat_dir_name: (fd: number, out: number, length: number) => {
      const name = Buffer.from(descriptors.directory(fd).preopen ?? '');
      if (length >>> 0 < name.byteLength) throw new WasiError(ERRNO.nametoolong);
      memory.setBytes(out, name);
    },
    fd_renumber: (from: number, to: number) => descriptors.renumber(from, to),
    fd_seek: (fd: number, offset: bigint, whence: number, out: number) => {
      const file = descriptors.file(fd);
      const bases = [0, file.position, whence === 2 ? fs.fstatSync(file.fd).size : 0];
      const base = bases[whence];
      if (base === undefined) throw new WasiError(ERRNO.inval);
      const position = asOffset(BigInt(base) + offset);
      memory.setU64(out, BigInt(position));
      file.position = position;
    },
    fd_tell: (fd: number, out: number) => memory.setU64(out, BigInt(descriptors.file(fd).position)),
  } satisfies Partial<WasiCalls<never>>;
}

function asOffset(value: bigint): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw new WasiError(ERRNO.inval);
  return Number(value);
}

function readable(file: OpenFile): OpenFile {
  if ((file.rights & RIGHT.fdRead) === 0n) throw new WasiError(ERRNO.badf);
  return file;
}

function writable(file: OpenFile): OpenFile {
  if (file.readOnly || (file.rights & RIGHT.fdWrite) === 0n) throw new WasiError(ERRNO.badf);
  return file;
}

/** Reads until the pieces are full or the file ends. */
function readAt(fd: number, pieces: readonly Uint8Array[], offset: number): number {
  return pieces.length === 0 ? 0 : fs.readvSync(fd, pieces, offset);
}

function read(from: Descriptor, pieces: readonly Uint8Array[]): number {
  if (from.kind === 'output') throw new WasiError(ERRNO.badf);
  if (from.kind === 'directory') throw new WasiError(ERRNO.isdir);
  const fd = from.kind === 'file' ? readable(from).fd : from.fd;
  if (fd === undefined) return 0;
  const count = readAt(fd, pieces, from.position);
  from.position += count;
  return count;
}

function write(to: Descriptor, pieces: readonly Uint8Array[], quota: Quota): number {
  if (to.kind === 'output') return to.write(pieces);
  if (to.kind !== 'file') throw new WasiError(to.kind === 'directory' ? ERRNO.isdir : ERRNO.badf);
  const file = writable(to);
  if (file.append) file.position = fs.fstatSync(file.fd).size;
  const count = writeAt(file, pieces, file.position, quota);
  file.position += count;
  return count;
}

function writeAt(
  file: OpenFile,
  pieces: readonly Uint8Array[],
  offset: number,
  quota: Quota,
): number {
  if (pieces.length === 0) return 0;
  const size = fs.fstatSync(file.fd).size;
  const end = pieces.reduce((sum, piece) => sum + piece.byteLength, offset);
  quota.resize(size, Math.max(size, end));
  const count = fs.writevSync(file.fd, pieces, offset);
  if (offset + count < end) quota.resize(Math.max(size, end), Math.max(size, offset + count));
  return count;
}

/** stdout and stderr are shown as a terminal, so that C libraries write them line by line and logs stay live. */
function fdstatOf(descriptor: Descriptor) {
  switch (descriptor.kind) {
    case 'input':
      return { filetype: FILETYPE.unknown, flags: 0, rights: RIGHT.fdRead, inheriting: 0n };
    case 'output':
      return {
        filetype: FILETYPE.characterDevice,
        flags: 0,
        rights: RIGHT.fdWrite,
        inheriting: 0n,
      };
    case 'directory':
      return { filetype: FILETYPE.directory, flags: 0, rights: ALL_RIGHTS, inheriting: ALL_RIGHTS };
    case 'file':
      return {
        filetype: FILETYPE.regularFile,
        flags: descriptor.append ? APPEND : 0,
        rights: descriptor.rights,
        inheriting: 0n,
      };
  }
}

function statOf(descriptor: Descriptor): Filestat {
  switch (descriptor.kind) {
    case 'input':
      return emptyFilestat(FILETYPE.unknown);
    case 'output':
      return emptyFilestat(FILETYPE.characterDevice);
    case 'directory': {
      const host = descriptor.place.host;
      return host === undefined
        ? emptyFilestat(FILETYPE.directory)
        : filestatOf(fs.fstatSync(host.fd, { bigint: true }));
    }
    case 'file':
      return filestatOf(fs.fstatSync(descriptor.fd, { bigint: true }));
  }
}
