/** Structures of WASI preview 1 as they lie in guest memory. */
import type { BigIntStats, Dirent, Stats } from 'node:fs';
import type { GuestMemory } from './memory.ts';

export const FILETYPE = {
  unknown: 0,
  characterDevice: 2,
  directory: 3,
  regularFile: 4,
  symbolicLink: 7,
} as const;

export const RIGHT = {
  fdRead: 1n << 1n,
  fdSeek: 1n << 2n,
  fdTell: 1n << 5n,
  fdWrite: 1n << 6n,
  fdAllocate: 1n << 8n,
  fdReaddir: 1n << 14n,
  filestatSetSize: 1n << 22n,
} as const;

/** Everything but the sockets. */
export const ALL_RIGHTS = (1n << 28n) - 1n;

export function filetypeOf(
  entry: Pick<Stats | BigIntStats | Dirent, 'isDirectory' | 'isFile' | 'isSymbolicLink'>,
): number {
  if (entry.isFile()) return FILETYPE.regularFile;
  if (entry.isDirectory()) return FILETYPE.directory;
  return entry.isSymbolicLink() ? FILETYPE.symbolicLink : FILETYPE.unknown;
}

export interface Filestat {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly filetype: number;
  readonly nlink: bigint;
  readonly size: bigint;
  readonly atimNs: bigint;
  readonly mtimNs: bigint;
  readonly ctimNs: bigint;
}

/** Of something that is no host file: a stream or a virtual directory. */
export function emptyFilestat(filetype: number): Filestat {
  return { dev: 0n, ino: 0n, filetype, nlink: 1n, size: 0n, atimNs: 0n, mtimNs: 0n, ctimNs: 0n };
}

export function filestatOf(stats: BigIntStats): Filestat {
  return {
    dev: stats.dev,
    ino: stats.ino,
    filetype: filetypeOf(stats),
    nlink: stats.nlink,
    size: stats.size,
    atimNs: stats.atimeNs,
    mtimNs: stats.mtimeNs,
    ctimNs: stats.ctimeNs,
  };
}

export function writeFilestat(memory: GuestMemory, at: number, stat: Filestat): void {
  memory.bytes(at, 64).fill(0);
  const base = at >>> 0;
  memory.setU64(base, stat.dev);
  memory.setU64(base + 8, stat.ino);
  memory.setU8(base + 16, stat.filetype);
  memory.setU64(base + 24, stat.nlink);
  memory.setU64(base + 32, stat.size);
  memory.setU64(base + 40, stat.atimNs);
  memory.setU64(base + 48, stat.mtimNs);
  memory.setU64(base + 56, stat.ctimNs);
}

export function writeFdstat(
  memory: GuestMemory,
  at: number,
  stat: {
    readonly filetype: number;
    readonly flags: number;
    readonly rights: bigint;
    readonly inheriting: bigint;
  },
): void {
  memory.bytes(at, 24).fill(0);
  const base = at >>> 0;
  memory.setU8(base, stat.filetype);
  memory.setU16(base + 2, stat.flags);
  memory.setU64(base + 8, stat.rights);
  memory.setU64(base + 16, stat.inheriting);
}

/** The 24 bytes that precede a name in a directory listing. */
export function direntHeader(next: bigint, nameBytes: number, filetype: number): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, next, true);
  view.setUint32(16, nameBytes, true);
  view.setUint8(20, filetype);
  return bytes;
}

/** Access and modification times to set, in seconds, out of the four `fstflags`. */
export function timesToSet(
  flags: number,
  atimNs: bigint,
  mtimNs: bigint,
  current: BigIntStats,
): { readonly atime: number; readonly mtime: number } {
  const pick = (set: number, now: number, wanted: bigint, old: bigint): number => {
    if ((flags & now) !== 0) return Date.now() / 1000;
    return Number((flags & set) !== 0 ? wanted : old) / 1e9;
  };
  return { atime: pick(1, 2, atimNs, current.atimeNs), mtime: pick(4, 8, mtimNs, current.mtimeNs) };
}
