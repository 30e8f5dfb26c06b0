/**
 * Frees the blocks of raw output that is safe in the log. The files keep their size, so that positions stay true. Where
 * `fallocate` of util-linux is missing, or the file system cannot punch holes, they stay until the run folder is removed.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writeDurably } from '../../adapters/durable/write-durably.ts';
import { parsePositions, TAKEN_FILE } from './raw-taken.ts';

const execute = promisify(execFile);
const BLOCK_BYTES = 4096;

/** Everything before `cursor` is durable in the log. What is freed is told first, so that it is never read again. */
export async function freeRaw(folder: string, cursor: string): Promise<void> {
  await writeDurably(join(folder, TAKEN_FILE), cursor);
  const { stdout, stderr } = parsePositions(cursor);
  await Promise.all([punch(join(folder, 'stdout'), stdout), punch(join(folder, 'stderr'), stderr)]);
}

/** Whole blocks below `end`. */
async function punch(file: string, end: number): Promise<void> {
  const length = end - (end % BLOCK_BYTES);
  if (length === 0) return;
  const range = ['--offset', '0', '--length', String(length)];
  await execute('fallocate', ['--punch-hole', ...range, file]).catch(() => undefined);
}
