/** Programs of the machine, looked for by name and never by package. Only node:* here: setup runs before `npm ci`. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
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

const GO_PACKAGES = '/usr/share/gocode';

/** Go, with hashicorp/go-plugin and gRPC as Debian packages them: they are built without modules and without network. */
export function findGo() {
  const packages = ['github.com/hashicorp/go-plugin', 'google.golang.org/grpc'];
  const there = packages.every((name) => existsSync(join(GO_PACKAGES, 'src', name)));
  return there ? findProgram('go') : undefined;
}

/** The system's own Python with grpcio: another one in the PATH does not see the packages of the system. */
export function findPython() {
  const python = '/usr/bin/python3';
  if (!isExecutable(python)) return undefined;
  const tried = spawnSync(python, ['-c', 'import grpc, google.protobuf'], { stdio: 'ignore' });
  return tried.status === 0 ? python : undefined;
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
