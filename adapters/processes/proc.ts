/** Processes over /proc. Everything is read anew at each call; nothing is remembered but the boot id. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { LimpetError } from '../../core/errors.ts';
import { FollowedProc } from './followed-proc.ts';
import { isOurOwnLack } from './own-lack.ts';
import type { FollowedProcess, Processes, ProcessIdentity, ProcessLook } from './port.ts';

interface ProcStat {
  readonly state: string;
  readonly processGroup: number;
  readonly startTime: string;
}

export function procProcesses(): Processes {
  return new ProcProcesses(read('/proc/sys/kernel/random/boot_id')?.trim() ?? '');
}

class ProcProcesses implements Processes {
  readonly #bootId: string;

  constructor(bootId: string) {
    this.#bootId = bootId;
  }

  bootId(): string {
    return this.#bootId;
  }

  identify(pid: number): ProcessIdentity | undefined {
    const stat = readStat(pid);
    if (stat === undefined || isDead(stat)) return undefined;
    return { pid, startTime: stat.startTime, bootId: this.#bootId };
  }

  look(identity: ProcessIdentity): ProcessLook {
    if (identity.bootId !== this.#bootId) return 'rebooted';
    const stat = readStat(identity.pid);
    if (stat === undefined) return 'gone';
    if (stat.startTime !== identity.startTime) return 'reused';
    if (isDead(stat)) return 'zombie';
    return stat.state === 'T' ? 'stopped' : 'alive';
  }

  follow(identity: ProcessIdentity): FollowedProcess {
    return new FollowedProc(identity.pid, () => this.look(identity));
  }

  signal(
    identity: ProcessIdentity,
    signal: NodeJS.Signals,
    options?: { readonly group?: boolean },
  ): boolean {
    const { pid } = identity;
    const look = this.look(identity);
    if (pid <= 1 || (look !== 'alive' && look !== 'stopped')) return false;
    const group = options?.group === true && readStat(pid)?.processGroup === pid;
    try {
      return process.kill(group ? -pid : pid, signal);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : '';
      if (code === 'ESRCH') return false;
      throw new LimpetError('permission-denied', `cannot send ${signal} to process ${pid}`, {
        cause: error,
      });
    }
  }

  findByEnv(name: string, value: string): readonly number[] {
    const wanted = `${name}=${value}`;
    return find((entry) => {
      const text = read(`/proc/${entry}/environ`);
      // First as a whole: of all processes of the host few have it.
      return text?.includes(wanted) === true && text.split('\0').includes(wanted);
    });
  }

  variableOf(pid: number, name: string): string | undefined {
    const pairs = read(`/proc/${pid}/environ`)?.split('\0');
    return pairs?.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
  }

  findByCgroup(part: string): readonly number[] {
    return find((entry) => read(`/proc/${entry}/cgroup`)?.includes(part) === true);
  }

  stdoutOf(pid: number): string | undefined {
    try {
      return readlinkSync(`/proc/${pid}/fd/1`);
    } catch {
      return undefined;
    }
  }
}

function find(isWanted: (entry: string) => boolean): readonly number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && isWanted(entry))
    .map(Number);
}

/** The name in parentheses may hold spaces and parentheses: what follows the last one is split. Fields 3, 5, 22. */
export function parseStat(text: string): ProcStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, , processGroup] = fields;
  const startTime = fields[19];
  if (state === undefined || processGroup === undefined || startTime === undefined)
    return undefined;
  return { state, processGroup: Number(processGroup), startTime };
}

function readStat(pid: number): ProcStat | undefined {
  const text = Number.isInteger(pid) && pid > 0 ? read(`/proc/${pid}/stat`) : undefined;
  return text === undefined ? undefined : parseStat(text);
}

function isDead(stat: ProcStat): boolean {
  return stat.state === 'Z' || stat.state === 'X' || stat.state === 'x';
}

/** undefined when the process has ended or is another user's. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    if (isOurOwnLack(thrown)) throw thrown;
    return undefined;
  }
}
