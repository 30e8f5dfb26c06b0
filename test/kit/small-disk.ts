/** A disk of its own, small enough to be filled. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Teardown } from './teardown.ts';
import { tempDir } from './temp-dir.ts';

/** Why there is none on this machine; false when there is one. */
export function smallDiskSkip(t: Teardown): string | false {
  const folder = join(tempDir(t), 'probe');
  if (!tmpfs(folder, '1m')) return 'this user may not mount a tmpfs';
  spawnSync('umount', ['-l', folder]);
  return false;
}

/** Mounts one at `folder`, until teardown. */
export function mountSmallDisk(t: Teardown, folder: string): void {
  if (!tmpfs(folder, '8m')) throw new Error(`no tmpfs at ${folder}`);
  t.teardown(() => spawnSync('umount', ['-l', folder]));
}

/** Nothing is left, not even for a small file. Answers the files that take it. */
export function fillDisk(folder: string): string[] {
  return ['64k', '1k'].map((block) => {
    const file = join(folder, `ballast.${block}`);
    spawnSync('dd', ['if=/dev/zero', `of=${file}`, `bs=${block}`], { timeout: 20_000 });
    return file;
  });
}

function tmpfs(folder: string, size: string): boolean {
  mkdirSync(folder, { recursive: true });
  const options = ['-t', 'tmpfs', '-o', `size=${size}`, 'limpet-test', folder];
  return spawnSync('mount', options).status === 0;
}
