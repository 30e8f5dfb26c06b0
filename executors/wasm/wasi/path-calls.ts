/** `path_*`: what the guest does by name. Every name goes through the tree; symlinks are shown but never followed or made. */
import fs from 'node:fs';
import { ERRNO, WasiError } from './errno.ts';
import type { FileWorld } from './fd-calls.ts';
import {
  FILETYPE,
  RIGHT,
  emptyFilestat,
  filestatOf,
  timesToSet,
  writeFilestat,
  type Filestat,
} from './layout.ts';
import type { Descriptor } from './descriptors.ts';
import {
  hostPath,
  nodeAt,
  placeOf,
  within,
  type HostPlace,
  type Place,
  type Resolved,
  type TreeNode,
} from './tree.ts';

const {
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} = fs.constants;
const OFLAG = { creat: 1, directory: 2, excl: 4, trunc: 8 } as const;
const FOLLOW = 1;
const APPEND = 1;
const WRITING = RIGHT.fdWrite | RIGHT.fdAllocate | RIGHT.filestatSetSize;

interface OpenOrder {
  readonly oflags: number;
  readonly rights: bigint;
  readonly append: boolean;
}

export function pathCalls(world: FileWorld) {
  const { memory, descriptors, quota } = world;
  const at = <T>(fd: number, path: number, length: number, use: (resolved: Resolved) => T): T =>
    within(descriptors.directory(fd).place, memory.text(path, length), use);

  return {
    path_create_directory: (fd: number, path: number, length: number) =>
      at(fd, path, length, (resolved) => {
        const target = changeable(resolved, ERRNO.exist);
        quota.addFile();
        try {
          fs.mkdirSync(target.path);
        } catch (thrown) {
          quota.removeFile(0);
          throw thrown;
        }
      }),
    path_filestat_get: (fd: number, flags: number, path: number, length: number, out: number) =>
      writeFilestat(
        memory,
        out,
        at(fd, path, length, (resolved) => statAt(resolved, (flags & FOLLOW) !== 0)),
      ),
    path_filestat_set_times: (
      fd: number,
      _flags: number,
      path: number,
      length: number,
      atim: bigint,
      mtim: bigint,
      fstflags: number,
    ) =>
      at(fd, path, length, (resolved) => {
        const target = changeable(resolved, ERRNO.rofs);
        const times = timesToSet(fstflags, atim, mtim, fs.lstatSync(target.path, { bigint: true }));
        fs.lutimesSync(target.path, times.atime, times.mtime);
      }),
    path_link: () => ERRNO.notsup,
    path_symlink: () => ERRNO.notsup,
    path_readlink: () => ERRNO.notsup,
    path_open: (
      fd: number,
      _lookup: number,
      path: number,
      length: number,
      oflags: number,
      rights: bigint,
      _inheriting: bigint,
      fdflags: number,
      out: number,
    ) => {
      descriptors.reserve();
      memory.setU32(out, 0);
      const order = { oflags, rights, append: (fdflags & APPEND) !== 0 };
      memory.setU32(
        out,
        descriptors.add(at(fd, path, length, (resolved) => open(resolved, order, world))),
      );
    },
    path_remove_directory: (fd: number, path: number, length: number) =>
      at(fd, path, length, (resolved) => {
        fs.rmdirSync(changeable(resolved, ERRNO.busy).path);
        quota.removeFile(0);
      }),
    path_rename: (
      fd: number,
      from: number,
      fromLength: number,
      toFd: number,
      to: number,
      toLength: number,
    ) =>
      at(fd, from, fromLength, (source) =>
        at(toFd, to, toLength, (destination) => {
          const old = changeable(source, ERRNO.busy);
          const next = changeable(destination, ERRNO.busy);
          const replaced = fs.lstatSync(next.path, { throwIfNoEntry: false });
          fs.renameSync(old.path, next.path);
          if (replaced !== undefined) quota.removeFile(replaced.isFile() ? replaced.size : 0);
        }),
      ),
    path_unlink_file: (fd: number, path: number, length: number) =>
      at(fd, path, length, (resolved) => {
        const target = changeable(resolved, ERRNO.busy);
        const { size } = fs.lstatSync(target.path);
        fs.unlinkSync(target.path);
        quota.removeFile(size);
      }),
  };
}

/** A name in a writable host directory; `mounted` is the answer when a mount point or virtual directory stands there. */
function changeable(resolved: Resolved, mounted: number): { readonly path: string } {
  if (nodeAt(resolved) !== undefined || resolved.name === undefined) throw new WasiError(mounted);
  const host = resolved.parent.host;
  if (host === undefined || host.readOnly) throw new WasiError(ERRNO.rofs);
  return { path: hostPath(host, resolved.name) };
}

function statAt(resolved: Resolved, follow: boolean): Filestat {
  const node = nodeAt(resolved);
  const host = node?.mount ?? (resolved.name === undefined ? resolved.parent.host : undefined);
  if (host !== undefined) return filestatOf(fs.fstatSync(host.fd, { bigint: true }));
  if (node !== undefined || resolved.name === undefined) return emptyFilestat(FILETYPE.directory);
  if (resolved.parent.host === undefined) throw new WasiError(ERRNO.noent);
  const stats = fs.lstatSync(hostPath(resolved.parent.host, resolved.name), { bigint: true });
  if (follow && stats.isSymbolicLink()) throw new WasiError(ERRNO.loop);
  return filestatOf(stats);
}

function open(resolved: Resolved, order: OpenOrder, world: FileWorld): Descriptor {
  const node = nodeAt(resolved);
  const exclusive = OFLAG.creat | OFLAG.excl;
  if (node !== undefined || resolved.name === undefined) {
    if ((order.oflags & exclusive) === exclusive) throw new WasiError(ERRNO.exist);
    if (node?.mount?.isFile !== true)
      return { kind: 'directory', place: again(node, resolved.parent) };
    return asDescriptor(`/proc/self/fd/${node.mount.fd}`, node.mount, order, world);
  }
  const host = resolved.parent.host;
  if (host === undefined)
    throw new WasiError((order.oflags & OFLAG.creat) !== 0 ? ERRNO.rofs : ERRNO.noent);
  const path = hostPath(host, resolved.name);
  if ((order.oflags & OFLAG.directory) === 0) return asDescriptor(path, host, order, world);
  const fd = fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  return { kind: 'directory', place: { host: { fd, readOnly: host.readOnly, owned: true } } };
}

/** The directory itself once more; an owned one gets a descriptor of its own, as the first may be closed before it. */
function again(node: TreeNode | undefined, parent: Place): Place {
  if (node !== undefined) return placeOf(node);
  const host = parent.host;
  if (host?.owned !== true) return parent;
  const fd = fs.openSync(`/proc/self/fd/${host.fd}`, O_RDONLY | O_DIRECTORY);
  return { host: { ...host, fd } };
}

function asDescriptor(
  path: string,
  host: HostPlace,
  order: OpenOrder,
  world: FileWorld,
): Descriptor {
  if ((order.oflags & OFLAG.directory) !== 0) throw new WasiError(ERRNO.notdir);
  const writing = (order.rights & WRITING) !== 0n;
  if (host.readOnly && (writing || (order.oflags & OFLAG.trunc) !== 0))
    throw new WasiError(ERRNO.rofs);
  const opened = openHost(path, host, order, world);
  const stats = fs.fstatSync(opened);
  if (stats.isDirectory())
    return {
      kind: 'directory',
      place: { host: { fd: opened, readOnly: host.readOnly, owned: true } },
    };
  if (!stats.isFile()) {
    fs.closeSync(opened);
    throw new WasiError(ERRNO.acces);
  }
  if ((order.oflags & OFLAG.trunc) !== 0) {
    fs.ftruncateSync(opened, 0);
    world.quota.resize(stats.size, 0);
  }
  const { rights, append } = order;
  return { kind: 'file', fd: opened, rights, readOnly: !writing, append, position: 0 };
}

/** Opens, and creates when asked to. A mounted file is opened anew through its own descriptor, a magic link. */
function openHost(path: string, host: HostPlace, order: OpenOrder, { quota }: FileWorld): number {
  const reading = (order.rights & (RIGHT.fdRead | RIGHT.fdReaddir)) !== 0n;
  const writing = (order.rights & WRITING) !== 0n || (order.oflags & OFLAG.trunc) !== 0;
  const mode = writing ? (reading ? O_RDWR : O_WRONLY) : O_RDONLY;
  const nofollow = path === `/proc/self/fd/${host.fd}` ? 0 : O_NOFOLLOW;
  const flags = mode | nofollow | O_NONBLOCK | (order.append ? O_APPEND : 0);
  if ((order.oflags & OFLAG.creat) === 0) return fs.openSync(path, flags);
  const existing = fs.lstatSync(path, { throwIfNoEntry: false });
  if (existing !== undefined && (order.oflags & OFLAG.excl) === 0) return fs.openSync(path, flags);
  if (host.readOnly) throw new WasiError(existing === undefined ? ERRNO.rofs : ERRNO.exist);
  quota.addFile();
  try {
    return fs.openSync(path, flags | O_CREAT | O_EXCL, 0o644);
  } catch (thrown) {
    quota.removeFile(0);
    throw thrown;
  }
}
