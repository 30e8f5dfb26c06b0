/**
 * Two hosts on this one: two network namespaces and a cable between them. What runs in one sees nothing of the machine's
 * network, and the cable can be cut. A namespace lives as long as the process that holds it, and the cable as long as both.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { distPath, startProgram, type Program, type ProgramOptions } from './program.ts';
import type { Teardown } from './teardown.ts';

/** For tap's `skip` option. */
export function namespaceSkip(): false | string {
  const tried = spawnSync('unshare', [
    ...['--net', 'ip', 'link', 'add', 'lt0', 'type', 'veth', 'peer', 'name', 'lt1'],
  ]);
  return (
    tried.status !== 0 && 'needs network namespaces: root, unshare, ip, and veth in the kernel'
  );
}

export class NetHost {
  readonly address: string;
  readonly #t: Teardown;
  readonly #pid: number;

  constructor(t: Teardown, pid: number, address: string) {
    this.#t = t;
    this.#pid = pid;
    this.address = address;
  }

  get pid(): number {
    return this.#pid;
  }

  /** Runs it there to its end; throws when it fails. */
  run(command: string, ...args: string[]): void {
    execFileSync('nsenter', [...this.#enter(), command, ...args], { stdio: 'pipe' });
  }

  /** Starts it there; killed at teardown. */
  start(command: string, options: ProgramOptions = {}): Promise<Program> {
    const args = [...this.#enter(), command, ...(options.args ?? [])];
    return startProgram(this.#t, 'nsenter', { ...options, args });
  }

  /** A program of dist/. */
  dist(name: 'limpet' | 'agent' | 'requester', options: ProgramOptions = {}): Promise<Program> {
    const args = [distPath(`${name}.js`), ...(options.args ?? [])];
    return this.start(process.execPath, { ...options, args });
  }

  plugIn(): void {
    this.run('ip', 'link', 'set', 'cable', 'up');
  }

  unplug(): void {
    this.run('ip', 'link', 'set', 'cable', 'down');
  }

  #enter(): string[] {
    return [`--net=/proc/${this.#pid}/ns/net`, '--'];
  }
}

/** With addresses of a network that only they know. */
export async function twoHosts(t: Teardown): Promise<readonly [NetHost, NetHost]> {
  const one = new NetHost(t, await namespace(t), '10.77.0.1');
  const other = new NetHost(t, await namespace(t), '10.77.0.2');
  const peer = ['peer', 'name', 'cable', 'netns', String(other.pid)];
  one.run('ip', 'link', 'add', 'cable', 'type', 'veth', ...peer);
  for (const host of [one, other]) {
    host.run('ip', 'address', 'add', `${host.address}/30`, 'dev', 'cable');
    host.run('ip', 'link', 'set', 'lo', 'up');
    host.plugIn();
  }
  return [one, other];
}

async function namespace(t: Teardown): Promise<number> {
  const holder = await startProgram(t, 'unshare', {
    args: ['--net', 'sh', '-c', 'echo ready; exec sleep 600'],
  });
  await holder.waitFor(/ready/);
  return holder.pid;
}
