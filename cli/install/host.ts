/** The machine that is installed on, or the file tree below --root: paths, users, and what is there. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { idIn } from '../etc-ids.ts';
import type { FileAccess } from './durable-file.ts';
import type { Access } from './steps.ts';
import { Systemctl } from './systemctl.ts';

const NODE_MS = 30_000;

export interface HostOptions {
  /** Absolute. */
  readonly root: string;
  /** The program that starts and stops services; undefined: nothing is started. */
  readonly systemctl: string | undefined;
}

export class Host {
  readonly root: string;
  readonly systemctl: Systemctl | undefined;
  /** Who is not root can own nothing for others. */
  readonly isRoot = process.getuid?.() === 0;

  readonly #nodeVersions: Record<string, string> = {};

  constructor({ root, systemctl }: HostOptions) {
    this.root = root;
    this.systemctl = systemctl === undefined ? undefined : new Systemctl(systemctl);
  }

  /** Users are made, and the machine's own services are meant. */
  get isThisMachine(): boolean {
    return this.root === '/';
  }

  at(path: string): string {
    return join(this.root, path);
  }

  stat(path: string): Stats | undefined {
    return this.#look(path, () => lstatSync(this.at(path)));
  }

  read(path: string): string | undefined {
    return this.#look(path, () => readFileSync(this.at(path), 'utf8'));
  }

  readLink(path: string): string | undefined {
    return this.stat(path)?.isSymbolicLink() === true ? readlinkSync(this.at(path)) : undefined;
  }

  has(path: string): boolean {
    return existsSync(this.at(path));
  }

  userId(name: string): number | undefined {
    return name === 'root' ? 0 : idIn(this.read('/etc/passwd'), name);
  }

  groupId(name: string): number | undefined {
    return name === 'root' ? 0 : idIn(this.read('/etc/group'), name);
  }

  /** In numbers; whoever is not known (yet) owns nothing. */
  access({ mode, owner, group }: Access): FileAccess {
    if (!this.isRoot) return { mode };
    return { mode, uid: this.userId(owner), gid: this.groupId(group) };
  }

  /** Without the `v`. */
  nodeVersion(path: string): string {
    this.#nodeVersions[path] ??= execFileSync(path, ['-p', 'process.versions.node'], {
      encoding: 'utf8',
      timeout: NODE_MS,
    }).trim();
    return this.#nodeVersions[path];
  }

  /** Errors: `permission-denied`. */
  #look<T>(path: string, action: () => T): T | undefined {
    try {
      return action();
    } catch (thrown) {
      const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw new LimpetError(
        'permission-denied',
        `${this.at(path)} cannot be read: ${messageOf(thrown)}; run it as root`,
        { cause: thrown },
      );
    }
  }
}
