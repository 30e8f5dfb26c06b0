/** Files and links that are whole after a power loss: written beside their place, synced, renamed into it. */
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

export interface FileAccess {
  readonly mode: number;
  /** Absent: that of this process. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

export function writeFile(path: string, content: string | Buffer, access: FileAccess): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, 'wx', 0o600);
    try {
      fchmodSync(file, access.mode);
      if (access.uid !== undefined && access.gid !== undefined)
        fchownSync(file, access.uid, access.gid);
      const bytes = Buffer.from(content);
      for (let at = 0; at < bytes.length; at += writeSync(file, bytes, at));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (thrown) {
    rmSync(temporary, { force: true });
    throw thrown;
  }
  syncFolder(dirname(path));
}

/** In one step, whether there was one or not. */
export function writeLink(path: string, target: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  rmSync(temporary, { force: true });
  symlinkSync(target, temporary);
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
