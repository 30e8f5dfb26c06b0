/** Programs of the machine, looked for by name and never by package. Only node:* here: setup runs before `npm ci`. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Debian keeps daemons where a plain user's PATH does not look. */
const DAEMON_FOLDERS = [
  '/usr/local/sbin',
  '/usr/sbin',
  '/sbin',
  '/usr/local/bin',
  '/usr/bin',
  '/bin',
];

export function findProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...DAEMON_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** A busybox that runs in an empty root folder; a dynamic one needs its libc there. */
export function findStaticBusybox() {
  const path = findProgram('busybox');
  return path !== undefined && isStatic(path) ? path : undefined;
}

function isStatic(path) {
  const ldd = spawnSync('ldd', [path], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  return /not a dynamic executable|statically linked/.test(`${ldd.stdout}${ldd.stderr}`);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
