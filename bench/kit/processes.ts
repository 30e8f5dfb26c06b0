/** What processes use, out of /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ of every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export type Field = 'Rss' | 'Pss';

/** Millions of bytes; none of a process that is gone. */
export function megabytes(pid: number, field: Field): number {
  const text = read(pid, 'smaps_rollup');
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0;
  return (Number(kib) * 1024) / 1e6;
}

export function withChildren(pids: readonly number[]): readonly number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pids.includes(parentOf(pid)));
  return children.length === 0 ? pids : [...pids, ...withChildren(children)];
}

/** Seconds of a core that it has used in all its life; children that it has waited for included. */
export function cpuSeconds(pid: number): number {
  return ownSeconds(pid) + childrenSeconds(pid);
}

export function ownSeconds(pid: number): number {
  return seconds(pid, 11);
}

/** Of children that have ended, and that it has waited for. */
export function childrenSeconds(pid: number): number {
  return seconds(pid, 13);
}

/** User and system time, which stand side by side. */
function seconds(pid: number, field: number): number {
  const [user = 0, system = 0] = fields(pid)
    .slice(field, field + 2)
    .map(Number);
  return (user + system) / TICKS_PER_SECOND;
}

function parentOf(pid: number): number {
  return Number(fields(pid)[1] ?? 0);
}

/** Of /proc/PID/stat after the name of the program; none of a process that is gone. */
function fields(pid: number): readonly string[] {
  const stat = read(pid, 'stat');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

/** Processes whose command line names both texts. */
export function programs(...texts: readonly string[]): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const line = read(pid, 'cmdline');
      return texts.every((text) => line.includes(text));
    });
}
