/** Which processes run programs of a folder: plugins and runs go on from the version that has started them. */
import { readdirSync, readFileSync } from 'node:fs';

/** Their ids; this process and what it has started do not count. `folder` is absolute and no link. */
export function processesOf(folder: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => commandLine(name).some((word) => word.startsWith(`${folder}/`)))
    .map(Number);
}

function commandLine(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
