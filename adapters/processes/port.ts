/** Processes by identity: a pid alone is never trusted and never signalled. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, clock ticks since boot, kept as text. */
  readonly startTime: string;
  /** /proc/sys/kernel/random/boot_id */
  readonly bootId: string;
}

export type ProcessLook = 'alive' | 'stopped' | 'gone' | 'reused' | 'rebooted' | 'zombie';

/** Keeps a descriptor open, which belongs to this very process: it is to be disposed of. */
export interface FollowedProcess extends Disposable {
  /** Whether it was alive or stopped by a signal, or is no more. */
  look(): 'alive' | 'stopped' | 'gone';
}

export interface Processes {
  bootId(): string;
  /** Identity of a live process; undefined when there is none or it is a zombie. */
  identify(pid: number): ProcessIdentity | undefined;
  /** `stopped` is state T; everything but alive and stopped means that this process is no more. */
  look(identity: ProcessIdentity): ProcessLook;
  /** For many looks at the same process: each costs one read. */
  follow(identity: ProcessIdentity): FollowedProcess;
  /** Verifies the identity, then signals; false when it is no more. `group` signals the process group of that pid. */
  signal(
    identity: ProcessIdentity,
    signal: NodeJS.Signals,
    options?: { readonly group?: boolean },
  ): boolean;
  /** Pids whose environment holds `NAME=value`; only our own processes can be read. */
  findByEnv(name: string, value: string): readonly number[];
  /** What its environment had under this name when its program began; undefined when nothing, or it cannot be read. */
  variableOf(pid: number, name: string): string | undefined;
  /** Pids in a cgroup with this in its path, of whatever user. */
  findByCgroup(part: string): readonly number[];
  /** The path that stdout of this process leads to; undefined when there is none or it is another user's. */
  stdoutOf(pid: number): string | undefined;
}
