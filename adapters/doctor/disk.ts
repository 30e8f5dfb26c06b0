/** Disk below a folder: room, inodes, and whether its file system can free parts of a file. */
import { existsSync } from 'node:fs';
import { access, constants, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { failure, fine, notAllowed, skipped, warning, type Check } from './check.ts';
import { outputOf } from './command.ts';

const MEBIBYTE = 1024 * 1024;
const PROBE_BYTES = 64 * 1024;
/** With less than this share left it is time to look. */
const LOW = 0.05;

export function diskRoom(folder: string, minFreeBytes: number): Check {
  return {
    name: 'disk',
    look: async () => {
      const at = nearest(folder);
      const { bavail, blocks, bsize, ffree, files } = await statfs(at);
      const free = bavail * bsize;
      const inodes = files === 0 ? '' : `, ${ffree} of ${files} inodes`;
      const found = `${mebibytes(free)} of ${mebibytes(blocks * bsize)} free${inodes} at ${at}`;
      if (free < minFreeBytes)
        return failure(
          `${found}; ${mebibytes(minFreeBytes)} are wanted`,
          'free space: no new work is taken until then',
        );
      if (files > 0 && ffree === 0)
        return failure(found, 'no file can be made: remove files that nobody needs');
      const low = bavail < blocks * LOW || (files > 0 && ffree < files * LOW);
      return low ? warning(found, 'free space before work is refused') : fine(found);
    },
  };
}

/** Tried on a file of its own, which is deleted at once. */
export function holePunching(folder: string): Check {
  return {
    name: 'file system',
    look: async () => {
      if ((await outputOf('fallocate', ['--version'])) === undefined)
        return warning(
          'there is no `fallocate`: a long run holds all its output until it has ended',
          'install util-linux',
        );
      const at = nearest(folder);
      if (!(await access(at, constants.W_OK).then(yes, no)))
        return notAllowed(`cannot write to ${at}`);
      return punches(at);
    },
  };
}

async function punches(at: string) {
  const probe = await mkdtemp(join(at, '.doctor-')).catch(() => undefined);
  if (probe === undefined) return skipped(`nothing can be written to ${at} now`);
  try {
    const file = join(probe, 'hole');
    await writeFile(file, Buffer.alloc(PROBE_BYTES, 1));
    const range = ['--punch-hole', '--offset', '0', '--length', String(PROBE_BYTES)];
    return (await outputOf('fallocate', [...range, file])) === undefined
      ? warning(
          `the file system of ${at} cannot punch holes: a long run holds all its output until it has ended`,
          'put the data folder on ext4, xfs, btrfs or tmpfs',
        )
      : fine(`${at} can free parts of a file`);
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

/** The folder, or what will hold it. */
function nearest(folder: string): string {
  return existsSync(folder) || folder === dirname(folder) ? folder : nearest(dirname(folder));
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / MEBIBYTE)} MiB`;
}

const yes = (): boolean => true;
const no = (): boolean => false;
