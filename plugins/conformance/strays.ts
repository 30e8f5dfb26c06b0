/** Processes that have a folder in their environment, arguments or working folder: all that a bench has brought about. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { ProcessIdentity, Processes } from '../../adapters/processes/port.ts';

export interface Stray {
  readonly pid: number;
  readonly command: string;
}

const ROUNDS = 60;
const ROUND_MS = 50;

export function straysOf(folder: string, processes: Processes): readonly Stray[] {
  return identities(folder, processes).map(({ pid }) => ({ pid, command: commandOf(pid) }));
}

/** Kills until none is left; answers those that did not go. */
export async function killStrays(folder: string, processes: Processes): Promise<readonly Stray[]> {
  for (let round = 0; round < ROUNDS; round += 1) {
    if (killOnce(folder, processes) === 0) return [];
    await delay(ROUND_MS);
  }
  return straysOf(folder, processes);
}

/** SIGKILL to all that are there now; how many there were. */
export function killOnce(folder: string, processes: Processes): number {
  const found = identities(folder, processes);
  for (const identity of found) {
    try {
      processes.signal(identity, 'SIGKILL');
    } catch {
      // Of another user: told at the end, if it stays.
    }
  }
  return found.length;
}

function identities(folder: string, processes: Processes): readonly ProcessIdentity[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .map((entry) => processes.identify(Number(entry)))
    .filter((one) => one !== undefined)
    .filter(({ pid }) => belongsTo(pid, folder));
}

function belongsTo(pid: number, folder: string): boolean {
  const isBelow = (path: string) => path === folder || path.startsWith(`${folder}/`);
  // Not the folder of another bench whose name begins like this one's.
  const names = (text: string) => text.includes(`${folder}/`) || text.includes(`${folder}\0`);
  return (
    isBelow(attempt(() => readlinkSync(`/proc/${pid}/cwd`))) ||
    names(read(pid, 'environ')) ||
    names(read(pid, 'cmdline'))
  );
}

function commandOf(pid: number): string {
  return read(pid, 'cmdline').split('\0').join(' ').trim().slice(0, 120);
}

function read(pid: number, file: string): string {
  return attempt(() => readFileSync(`/proc/${pid}/${file}`, 'utf8'));
}

function attempt(look: () => string): string {
  try {
    return look();
  } catch {
    return '';
  }
}
