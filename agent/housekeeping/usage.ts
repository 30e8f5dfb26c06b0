/** What files take on the disk, in the blocks that the file system gave them. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const BLOCK = 512;

/** Of a file or a folder with all that is below it; what goes away meanwhile, or is not there, takes nothing. */
export async function bytesOf(path: string): Promise<number> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return 0;
  const own = found.blocks * BLOCK;
  if (!found.isDirectory()) return own;
  const names = await readdir(path).catch((): string[] => []);
  let sum = own;
  for (const name of names) sum += await bytesOf(join(path, name));
  return sum;
}
