/**
 * The files of a run folder that the runner writes and reads (formats: end of plugins/sdk/types.ts), and `socket`: the
 * path of the control socket of the runner that claimed the run. Synchronous, as both threads of the runner use them.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { Outcome } from '../../plugins/sdk/index.ts';

export interface Identity {
  readonly pid: number;
  readonly startTime: string;
  readonly bootId: string;
}

export interface StopFile {
  readonly by: 'stop' | 'limit';
  readonly reason: string;
}

export const RUN_FILE = {
  claim: 'claim',
  exit: 'exit',
  stop: 'stop',
  until: 'until',
  socket: 'socket',
  stdout: 'stdout',
  stderr: 'stderr',
} as const;

/** Our own identity, out of /proc. */
export function ownIdentity(): Identity {
  const stat = fs.readFileSync('/proc/self/stat', 'utf8');
  const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  const bootId = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return { pid: process.pid, startTime, bootId };
}

function writeSynced(file: string, text: string): void {
  const fd = fs.openSync(file, 'w', 0o600);
  try {
    fs.writeSync(fd, text);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Makes the claim: whole or not at all, and only one of all who try. link(2) refuses an existing name just as O_EXCL
 * does, but what appears under the name is already complete and on disk. False: somebody else has it.
 */
export function claim(folder: string, identity: Identity): boolean {
  const own = path.join(folder, `${RUN_FILE.claim}.${identity.pid}`);
  writeSynced(own, `${identity.pid} ${identity.startTime} ${identity.bootId}\n`);
  try {
    fs.linkSync(own, path.join(folder, RUN_FILE.claim));
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST') return false;
    throw thrown;
  } finally {
    fs.unlinkSync(own);
  }
  syncFolder(folder);
  return true;
}

export function writeExit(folder: string, outcome: Outcome, finishedAt: number): void {
  const reason = outcome.reason.replaceAll(/\s+/g, ' ').slice(0, 500);
  const file = path.join(folder, RUN_FILE.exit);
  writeSynced(`${file}.tmp`, `${outcome.by} ${outcome.code ?? '-'} ${finishedAt} ${reason}\n`);
  fs.renameSync(`${file}.tmp`, file);
  syncFolder(folder);
}

function readText(folder: string, name: string): string | undefined {
  try {
    return fs.readFileSync(path.join(folder, name), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** An order to stop, if one was given; what cannot be read is an order too. */
export function readStop(folder: string): StopFile | undefined {
  const text = readText(folder, RUN_FILE.stop);
  if (text === undefined) return undefined;
  const [by, , , ...reason] = text.split(' ');
  return { by: by === 'limit' ? 'limit' : 'stop', reason: reason.join(' ') };
}

/** The end of the run's lease in ms, if one is set. */
export function readUntil(folder: string): number | undefined {
  const value = Number(readText(folder, RUN_FILE.until) ?? Number.NaN);
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

export function readSocket(folder: string): string | undefined {
  return readText(folder, RUN_FILE.socket);
}
