/** Error numbers of WASI preview 1 and how the host's own errors become them. */
export const ERRNO = {
  success: 0,
  acces: 2,
  badf: 8,
  busy: 10,
  exist: 20,
  fault: 21,
  fbig: 22,
  ilseq: 25,
  inval: 28,
  io: 29,
  isdir: 31,
  loop: 32,
  mfile: 33,
  mlink: 34,
  nametoolong: 37,
  noent: 44,
  nomem: 48,
  nospc: 51,
  nosys: 52,
  notdir: 54,
  notempty: 55,
  notsup: 58,
  perm: 63,
  pipe: 64,
  rofs: 69,
  spipe: 70,
  txtbsy: 74,
  xdev: 75,
  notcapable: 76,
} as const;

/** As people know it: 44 is `ENOENT`. */
function nameOf(errno: number): string {
  const name = Object.entries(ERRNO).find(([, number]) => number === errno)?.[0];
  return name === undefined ? `errno ${errno}` : `E${name.toUpperCase()}`;
}

/** Ends one WASI call with an error number; never reaches the guest as an exception. */
export class WasiError extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(nameOf(errno));
    this.errno = errno;
  }
}

const FROM_HOST: ReadonlyMap<string, number> = new Map([
  ['EACCES', ERRNO.acces],
  ['EBADF', ERRNO.badf],
  ['EBUSY', ERRNO.busy],
  ['EEXIST', ERRNO.exist],
  ['EFBIG', ERRNO.fbig],
  ['EINVAL', ERRNO.inval],
  ['EISDIR', ERRNO.isdir],
  ['ELOOP', ERRNO.loop],
  ['EMFILE', ERRNO.mfile],
  ['EMLINK', ERRNO.mlink],
  ['ENAMETOOLONG', ERRNO.nametoolong],
  ['ENFILE', ERRNO.mfile],
  ['ENOENT', ERRNO.noent],
  ['ENOMEM', ERRNO.nomem],
  ['ENOSPC', ERRNO.nospc],
  ['EDQUOT', ERRNO.nospc],
  ['ENOTDIR', ERRNO.notdir],
  ['ENOTEMPTY', ERRNO.notempty],
  ['ENXIO', ERRNO.acces],
  ['EPERM', ERRNO.perm],
  ['EROFS', ERRNO.rofs],
  ['ESPIPE', ERRNO.spipe],
  ['ETXTBSY', ERRNO.txtbsy],
  ['EXDEV', ERRNO.xdev],
]);

/** The error number for something thrown by a host call; undefined when it is no error of the operating system. */
export function errnoOf(thrown: unknown): number | undefined {
  if (thrown instanceof WasiError) return thrown.errno;
  if (!(thrown instanceof Error) || !('code' in thrown) || typeof thrown.code !== 'string')
    return undefined;
  if (!('syscall' in thrown)) return undefined;
  return FROM_HOST.get(thrown.code) ?? ERRNO.io;
}
