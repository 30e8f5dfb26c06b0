/**
 * Inputs that the agent has staged stand in its data folder, which the user of the commands may not enter. They are given to
 * them below the folder in which they run, so that the other one stays closed.
 */
import { chmod, copyFile, link, lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import { join } from 'node:path';

const PLAIN_MODE = 0o777;

/** The files themselves under second names, with the rights that they have; on another file system copies of them. */
export async function handIn(source: string, at: string): Promise<void> {
  const found = await lstat(source);
  const mode = found.mode & PLAIN_MODE;
  if (found.isSymbolicLink()) await symlink(await readlink(source), at);
  else if (found.isDirectory()) {
    await mkdir(at);
    for (const name of await readdir(source)) await handIn(join(source, name), join(at, name));
    await chmod(at, mode);
  } else
    await link(source, at).catch(async () => {
      await copyFile(source, at);
      await chmod(at, mode);
    });
}
