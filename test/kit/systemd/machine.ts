/**
 * A machine of a test's own, run by a real systemd: a container with a file system that outlives its reboots, this Node and
 * nats-server in /usr/local/bin, and no network but its loopback.
 */
import { basename, dirname, resolve } from 'node:path';
import { Readable } from 'node:stream';
import Docker from 'dockerode';
import { create } from 'tar';
import { findProgram } from '../../../scripts/programs.mjs';
import { testEngine } from '../engine.ts';
import { eventually } from '../eventually.ts';
import type { Teardown } from '../teardown.ts';
import { exec, type ExecOptions, type Ran } from './exec.ts';
import { ENGINE_BOOT, ENGINE_DATA } from './engine-boot.ts';
import { systemdImage } from './image.ts';
import { rootArchive } from './root-archive.ts';

const BOOT_MS = 60_000;
const STOP_SECONDS = 60;

/**
 * On cgroup v2 the tree of the container comes read-only; credentials of services need mounts that are shared. Each boot has an
 * id of its own, as in systemd-nspawn; a service with a /proc/sys of its own would see the one of the kernel.
 */
const BOOT = `
[ ! -e /sys/fs/cgroup/cgroup.controllers ] || mount -o remount,rw /sys/fs/cgroup
mount --make-rshared /
id=/proc/sys/kernel/random/boot_id
cat /proc/sys/kernel/random/uuid > /run/boot-id
mount --bind /run/boot-id $id
mkdir -p /run/systemd/system/limpet-.service.d
printf '[Service]\\nBindReadOnlyPaths=/run/boot-id:%s\\n' $id > /run/systemd/system/limpet-.service.d/boot-id.conf`;
const SYSTEMD = 'exec /lib/systemd/systemd';

const HOST_CONFIG = {
  CapAdd: ['SYS_ADMIN', 'SYS_PTRACE', 'SYS_NICE', 'NET_ADMIN'],
  SecurityOpt: ['seccomp=unconfined', 'apparmor=unconfined'],
  MaskedPaths: [],
  ReadonlyPaths: [],
  CgroupnsMode: 'private' as const,
  NetworkMode: 'none',
  Tmpfs: { '/run': '', '/run/lock': '', '/tmp': 'exec,mode=1777' },
};

export interface MachineOptions {
  /** For all processes together; as much as the engine's host has, unless told. */
  readonly memoryBytes?: number;
  /** It has a Docker engine of its own, started by its own units; see engine-boot.ts. */
  readonly docker?: boolean;
}

/** Boots a machine that ends with the test; where that cannot be, its `skip` says why, and nothing else of it works. */
export async function bootMachine(t: Teardown, options: MachineOptions = {}): Promise<Machine> {
  const engine = await testEngine(t);
  if (engine.skip !== false) return new Machine(engine.skip);
  if (!engine.host.startsWith('unix://'))
    return new Machine(`needs an engine of this machine, not ${engine.host}`);
  const { docker: hasEngine = false } = options;
  const kind = hasEngine ? 'docker' : 'plain';
  const archive = await rootArchive(kind).catch((error: Error) => error);
  if (archive instanceof Error)
    return new Machine(`needs an image with systemd: ${archive.message}`);
  const docker = new Docker({ socketPath: engine.host.slice('unix://'.length), host: undefined });
  const container = await docker.createContainer({
    Image: await systemdImage(docker, archive),
    Cmd: ['sh', '-c', [BOOT, ...(hasEngine ? [ENGINE_BOOT] : []), SYSTEMD].join('\n')],
    Hostname: 'limpet-host',
    ...(hasEngine ? { Volumes: { [ENGINE_DATA]: {} } } : {}),
    StopSignal: 'SIGRTMIN+3',
    HostConfig: { ...HOST_CONFIG, ...limits(options), Binds: programs() },
  });
  t.teardown(() => container.remove({ force: true, v: true }));
  const machine = new Machine(container);
  await machine.boot();
  return machine;
}

function limits({ memoryBytes }: MachineOptions): object {
  return memoryBytes === undefined ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes };
}

function programs(): string[] {
  const found = { node: process.execPath, 'nats-server': findProgram('nats-server') };
  return Object.entries(found)
    .filter(([, path]) => path !== undefined)
    .map(([name, path]) => `${path}:/usr/local/bin/${name}:ro`);
}

export class Machine {
  /** For tap's `skip` option: false, or why there is none. */
  readonly skip: false | string;
  readonly #made: Docker.Container | undefined;

  constructor(made: Docker.Container | string) {
    this.skip = typeof made === 'string' && made;
    this.#made = typeof made === 'string' ? undefined : made;
  }

  /** Starts it, and waits until systemd has started all there is to start. */
  async boot(): Promise<void> {
    await this.#container.start();
    await eventually(
      'systemd to be up',
      async () => /^(running|degraded)$/.test((await this.systemctl('is-system-running')).trim()),
      BOOT_MS,
    );
  }

  /** Services are stopped by systemd, what is left is killed; the file system stays. */
  async reboot(): Promise<void> {
    await this.#container.stop({ t: STOP_SECONDS });
    await this.boot();
  }

  /** Everything ends at once, and it starts again. */
  async loseThePower(): Promise<void> {
    await this.#container.kill();
    await eventually('the end of the machine', async () => {
      return !(await this.#container.inspect()).State.Running;
    });
    await this.boot();
  }

  /** Runs a command to its end, whatever the exit code. */
  inside(args: readonly string[], options: ExecOptions = {}): Promise<Ran> {
    return exec(this.#container, args, options);
  }

  /** Its stdout; rejects unless it ends with 0. */
  async run(args: readonly string[], options: ExecOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.inside(args, options);
    if (code !== 0) throw new Error(`${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  sh(script: string): Promise<string> {
    return this.run(['sh', '-euc', script]);
  }

  /** Its stdout; `is-active` and the like tell by their exit code what they also print. */
  async systemctl(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.inside(['systemctl', ...args]);
    if (code !== 0 && !/^is-/.test(args[0] ?? ''))
      throw new Error(`systemctl ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** One property of a unit, as `systemctl show` prints it. */
  async property(unit: string, name: string): Promise<string> {
    return (await this.systemctl('show', '--value', '-p', name, unit)).trim();
  }

  /** 0 when the unit has none. */
  async mainPid(unit: string): Promise<number> {
    return Number(await this.property(unit, 'MainPID'));
  }

  /** All that the unit has written since the machine was made, systemd's own lines among it. */
  journal(unit: string): Promise<string> {
    return this.run(['journalctl', '--no-pager', '-o', 'cat', '-u', unit]);
  }

  async write(path: string, text: string): Promise<void> {
    await this.run(['sh', '-euc', 'printf %s "$2" > "$1"', 'sh', path, text]);
  }

  /** Copies a file or folder of the host into a folder of the machine; root owns it there. */
  async copyIn(path: string, folder: string): Promise<void> {
    const from = resolve(path);
    const archive = create({ cwd: dirname(from), portable: true, jobs: 1 }, [basename(from)]);
    await this.#container.putArchive(Readable.from(archive), { path: folder });
  }

  get #container(): Docker.Container {
    if (this.#made === undefined) throw new Error(`no machine: ${String(this.skip)}`);
    return this.#made;
  }
}
