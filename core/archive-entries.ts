/**
 * Which entries of an archive from somewhere else are unpacked. Told of each in order, it takes files and folders below
 * the root, and links that stay in it; what cannot come from an honest archive refuses the whole of it.
 */
import { LimpetError } from './errors.ts';

export interface ArchiveEntry {
  readonly path: string;
  /** In node-tar's words: File, Directory, SymbolicLink, Link ... */
  readonly type: string;
  readonly size: number;
  readonly linkpath?: string | undefined;
}

export interface ArchiveLimits {
  /** Of all files together, as long as they say they are. */
  readonly maxBytes: number;
  /** Entries of every kind. */
  readonly maxFiles: number;
}

const FILES = ['File', 'OldFile', 'ContiguousFile'];

export class ArchiveEntries {
  readonly #limits: ArchiveLimits;
  readonly #seen = new Map<string, 'file' | 'folder' | 'link'>();
  #bytes = 0;
  #files = 0;

  constructor(limits: ArchiveLimits) {
    this.#limits = limits;
  }

  /** undefined: it may be unpacked; else why it is left out. Errors: `refused`, `too-large`. */
  judge(entry: ArchiveEntry): string | undefined {
    this.#count(entry);
    const names = namesOf(entry.path);
    if (names === undefined) throw refused(entry, 'leads out of the folder');
    const name = names.join('/');
    const before = this.#seen.get(name);
    const isFolder = entry.type === 'Directory';
    if (name === '' && isFolder) return undefined;
    if (name === '') throw refused(entry, 'has no name');
    if (before !== undefined && !(isFolder && before === 'folder'))
      throw refused(entry, 'is there twice');
    for (let depth = 1; depth < names.length; depth++) {
      const parent = this.#seen.get(names.slice(0, depth).join('/'));
      if (parent !== undefined && parent !== 'folder')
        throw refused(entry, `lies below a ${parent}`);
    }
    return this.#take(entry, names);
  }

  #take(entry: ArchiveEntry, names: readonly string[]): string | undefined {
    const name = names.join('/');
    const { type, linkpath = '' } = entry;
    if (type === 'Directory') this.#seen.set(name, 'folder');
    else if (FILES.includes(type)) this.#seen.set(name, 'file');
    else if (type === 'SymbolicLink') {
      if (!staysInside(names, linkpath)) return `it is a link to ${linkpath}, out of the folder`;
      this.#seen.set(name, 'link');
    } else if (type === 'Link') {
      const other = namesOf(linkpath)?.join('/') ?? '';
      if (this.#seen.get(other) !== 'file') return `it is a second name of ${linkpath}`;
      this.#seen.set(name, 'file');
    } else return `it is neither file, folder nor link (${type})`;
    return undefined;
  }

  #count({ size }: ArchiveEntry): void {
    this.#files += 1;
    this.#bytes += size;
    const { maxFiles, maxBytes } = this.#limits;
    if (this.#files > maxFiles)
      throw new LimpetError('too-large', `the archive holds more than ${maxFiles} files`);
    if (this.#bytes > maxBytes)
      throw new LimpetError('too-large', `the archive unpacks to more than ${maxBytes} bytes`);
  }
}

/** undefined: an absolute path, or one with `..` in it. */
function namesOf(path: string): readonly string[] | undefined {
  if (path.startsWith('/') || path.includes('\0')) return undefined;
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  return names.includes('..') ? undefined : names;
}

/**
 * `..` only at the beginning, and no more of them than there are folders above: after a name it would count from where
 * that name, which may be a link, leads to.
 */
function staysInside(names: readonly string[], target: string): boolean {
  if (target === '' || target.startsWith('/')) return false;
  const steps = target.split('/').filter((step) => step !== '' && step !== '.');
  const firstName = steps.findIndex((step) => step !== '..');
  const ups = firstName === -1 ? steps.length : firstName;
  return ups < names.length && !steps.slice(ups).includes('..');
}

function refused({ path }: ArchiveEntry, why: string): LimpetError {
  return new LimpetError('refused', `the archive is not unpacked: ${JSON.stringify(path)} ${why}`);
}
