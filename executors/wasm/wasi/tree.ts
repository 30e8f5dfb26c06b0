/**
 * The guest's file tree: one virtual root `/` in which every mount stands at its target.
 *
 * A path is resolved one name at a time. Below a mount each step opens `/proc/self/fd/<directory>/<name>` with
 * O_NOFOLLOW, which is openat(2) in all but name: a symlink is never followed, not even one that is swapped in between
 * two steps, and `..` is resolved by text and may not leave the directory that the guest named.
 */
import fs from 'node:fs';
import { ERRNO, WasiError } from './errno.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY, O_NONBLOCK } = fs.constants;

export interface GuestMount {
  readonly source: string;
  /** Absolute path inside the guest. */
  readonly target: string;
  readonly readOnly: boolean;
}

/** An open host file or directory; `fd` stays open as long as the tree does when `owned` is false. */
export interface HostPlace {
  readonly fd: number;
  readonly readOnly: boolean;
  readonly owned: boolean;
}

/** A directory the guest can stand in: a virtual one, a host one, or a mount with further mounts below it. */
export interface Place {
  readonly node?: TreeNode;
  readonly host?: HostPlace;
}

export interface TreeNode {
  readonly children: Map<string, TreeNode>;
  mount?: HostPlace & { readonly isFile: boolean };
}

/** `name` is undefined when the path names `parent` itself. */
export interface Resolved {
  readonly parent: Place;
  readonly name: string | undefined;
}

function newNode(): TreeNode {
  return { children: new Map() };
}

/** Opens every mount. Throws the host's error when a source is missing. */
export function buildTree(mounts: readonly GuestMount[]): TreeNode {
  const root = newNode();
  for (const mount of mounts) {
    let node = root;
    for (const name of names(mount.target.replace(/^\/+/, ''))) {
      const next = node.children.get(name) ?? newNode();
      node.children.set(name, next);
      node = next;
    }
    // The source was chosen by the agent, not by the guest: its own symlinks are followed, once.
    const fd = fs.openSync(fs.realpathSync.native(mount.source), O_RDONLY | O_NONBLOCK);
    const isFile = !fs.fstatSync(fd).isDirectory();
    node.mount = { fd, readOnly: mount.readOnly, owned: false, isFile };
  }
  return root;
}

/** Names of a relative path; `.` and empty ones dropped, `..` resolved by text. */
function names(path: string): readonly string[] {
  if (path.includes('\0')) throw new WasiError(ERRNO.inval);
  if (path.startsWith('/')) throw new WasiError(ERRNO.notcapable);
  const result: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') result.push(name);
    else if (result.pop() === undefined) throw new WasiError(ERRNO.notcapable);
  }
  return result;
}

export function placeOf(node: TreeNode): Place {
  const mount = node.mount;
  return mount === undefined || mount.isFile ? { node } : { node, host: mount };
}

/** Where `name` would be in a host directory. */
export function hostPath(host: HostPlace, name: string): string {
  return `/proc/self/fd/${host.fd}/${name}`;
}

export function release(place: Place): void {
  if (place.host?.owned === true) fs.closeSync(place.host.fd);
}

/** The directory `name` in `place`. Throws `notdir`, `noent`. */
function enter(place: Place, name: string): Place {
  const node = place.node?.children.get(name);
  if (node?.mount?.isFile === true) throw new WasiError(ERRNO.notdir);
  if (node !== undefined) return placeOf(node);
  if (place.host === undefined) throw new WasiError(ERRNO.noent);
  const fd = fs.openSync(hostPath(place.host, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  return { host: { fd, readOnly: place.host.readOnly, owned: true } };
}

/** Walks to the directory that holds the last name of `path`, hands it to `use`, and closes what was opened on the way. */
export function within<T>(base: Place, path: string, use: (resolved: Resolved) => T): T {
  const steps = names(path);
  const name = steps.at(-1);
  let parent = base;
  try {
    for (const step of steps.slice(0, -1)) {
      const next = enter(parent, step);
      if (parent !== base) release(parent);
      parent = next;
    }
    return use({ parent, name });
  } finally {
    if (parent !== base) release(parent);
  }
}

/** The mount or virtual directory that stands at `name`, if one does. */
export function nodeAt(resolved: Resolved): TreeNode | undefined {
  if (resolved.name === undefined) return resolved.parent.node;
  return resolved.parent.node?.children.get(resolved.name);
}

/** Opens a file of the tree for reading, by its absolute guest path. Throws WasiError or the host's error. */
export function openFile(root: TreeNode, path: string): number {
  return within(placeOf(root), path.replace(/^\/+/, ''), (resolved) => {
    const node = nodeAt(resolved);
    const fd =
      node?.mount?.isFile === true
        ? fs.openSync(`/proc/self/fd/${node.mount.fd}`, O_RDONLY | O_NONBLOCK)
        : openBelow(resolved);
    if (fs.fstatSync(fd).isFile()) return fd;
    fs.closeSync(fd);
    throw new WasiError(ERRNO.isdir);
  });
}

function openBelow({ parent, name }: Resolved): number {
  if (name === undefined) throw new WasiError(ERRNO.isdir);
  if (parent.host === undefined) throw new WasiError(ERRNO.noent);
  return fs.openSync(hostPath(parent.host, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

/** Closes every mount. */
export function closeTree(node: TreeNode): void {
  if (node.mount !== undefined) fs.closeSync(node.mount.fd);
  for (const child of node.children.values()) closeTree(child);
}
