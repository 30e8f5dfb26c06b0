/** A private dockerd with live-restore, no network, and the image `fixture/busybox:1`; ended at teardown. */
import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { openEngine } from '../../../executors/docker/engine.ts';
import { eventually } from '../../kit/eventually.ts';
import type { Teardown } from '../../kit/teardown.ts';

export interface PrivateEngine {
  readonly host: string;
  readonly folder: string;
  /** The command line client, its output. */
  docker(...args: string[]): string;
  kill(signal?: NodeJS.Signals): Promise<void>;
  restart(): Promise<void>;
}

const BUSYBOX = '/bin/busybox';

/** Why no engine can be started here; undefined when one can. */
export function engineMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'a private dockerd needs root';
  const found = (process.env['PATH'] ?? '').split(':').some((f) => existsSync(join(f, 'dockerd')));
  if (!found) return 'no dockerd on this machine; install it: apt-get install docker.io';
  return existsSync(BUSYBOX) ? undefined : 'no busybox-static on this machine';
}

function alive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export async function startPrivateEngine(t: Teardown): Promise<PrivateEngine> {
  const folder = mkdtempSync('/run/lk.');
  const host = `unix://${folder}/docker.sock`;
  const docker = (...args: string[]) =>
    execFileSync('docker', ['-H', host, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  let pid = 0;
  const start = async () => {
    const log = openSync(join(folder, 'log'), 'a');
    const args = [
      '-H',
      host,
      '--data-root',
      join(folder, 'data'),
      '--exec-root',
      join(folder, 'exec'),
    ];
    const rest = [
      '--bridge',
      'none',
      '--iptables=false',
      '--ip-forward=false',
      '--ip-masq=false',
      '--live-restore',
    ];
    const child = spawn('dockerd', [...args, '--pidfile', join(folder, 'pid'), ...rest], {
      detached: true,
      stdio: ['ignore', log, log],
    });
    child.unref();
    pid = child.pid ?? 0;
    const engine = await openEngine(host);
    await eventually('dockerd to answer', () => engine.ping().then(() => true), 30_000);
  };
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    process.kill(pid, signal);
    await eventually('dockerd to end', () => !alive(pid), 20_000);
  };
  t.teardown(async () => {
    const ids = alive(pid) ? docker('ps', '-aq').split('\n').filter(Boolean) : [];
    if (ids.length > 0) docker('rm', '-f', ...ids);
    if (alive(pid)) await kill('SIGTERM');
    // The engine leaves a mount of the network name space of containers that have none.
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '');
    for (const mount of mounts.filter((m) => m.startsWith(`${folder}/`)).reverse())
      execFileSync('umount', [mount]);
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });
  await start();
  importBusybox(folder, docker);
  return { host, folder, docker, kill, restart: start };
}

function importBusybox(folder: string, docker: PrivateEngine['docker']): void {
  const root = join(folder, 'img');
  for (const name of ['bin', 'tmp', 'etc']) mkdirSync(join(root, name), { recursive: true });
  cpSync(BUSYBOX, join(root, 'bin/busybox'));
  for (const applet of execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).split('\n'))
    if (applet !== '' && applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n',
  );
  const tar = join(folder, 'img.tar');
  execFileSync('tar', ['-C', root, '-cf', tar, '.']);
  docker('import', '-c', 'ENV PATH=/bin', '-c', 'CMD ["sh"]', tar, 'fixture/busybox:1');
}
