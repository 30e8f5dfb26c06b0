/** What /proc tells of a process beside its identity; nothing of one that is gone. */
import { closeSync, fstatSync, openSync, readFileSync, readlinkSync, readSync } from 'node:fs';

const BLOCK_BYTES = 4096;
const STAT_BLOCK_BYTES = 512;

/** Whether an open descriptor is this file, also when that is deleted. */
export function leadsTo(link: string, file: string): boolean {
  try {
    return [file, `${file} (deleted)`].includes(readlinkSync(link));
  } catch {
    return false;
  }
}

/**
 * How much of an output file has been freed. Only what is safe in the log ever is: from the front, in whole blocks, which
 * then read as zeros.
 */
export function freedBytes(path: string): number {
  const file = openSync(path, 'r');
  try {
    const first = Buffer.alloc(BLOCK_BYTES);
    const { size, blocks } = fstatSync(file);
    if (readSync(file, first) < BLOCK_BYTES || first.some((byte) => byte !== 0)) return 0;
    const whole = Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
    return Math.max(0, whole - blocks * STAT_BLOCK_BYTES);
  } finally {
    closeSync(file);
  }
}

/** Field 4 of its stat. */
export function parentOf(pid: number): number | undefined {
  const stat = read(pid, 'stat');
  return stat === undefined
    ? undefined
    : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

export function argumentsOf(pid: number): readonly string[] {
  return read(pid, 'cmdline')?.split('\0').slice(0, -1) ?? [];
}

function read(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}
