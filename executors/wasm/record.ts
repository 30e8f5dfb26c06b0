/**
 * The files of a run folder that the runner writes and reads (formats: end of plugins/sdk/types.ts). The claim has a second
 * line: the path of the control socket of the runner that claimed the run. Synchronous, as both threads of the runner use
 * them.
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
  /** The path of the control socket, where an older runner wrote the claim. */
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

function writeAndClose(fd: number, text: string): void {
  try {
    fs.writeSync(fd, text);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

export function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

export function claimText({ pid, startTime, bootId }: Identity, socket: string): string {
  return `${pid} ${startTime} ${bootId}\n${socket}\n`;
}

/** Makes the claim and puts it on disk. False: somebody else has it. */
export function claim(folder: string, holder: Identity, socket: string): boolean {
  const file = path.join(folder, RUN_FILE.claim);
  let fd: number;
  try {
    fd = fs.openSync(file, 'wx', 0o600);
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST') return false;
    throw thrown;
  }
  writeAndClose(fd, claimText(holder, socket));
  syncFolder(folder);
  return true;
}

/** Answers what it wrote. Whole, or not there at all. The name itself is durable after `syncFolder`, which may follow the news of the end. */
export function writeExit(folder: string, outcome: Outcome, finishedAt: number): string {
  const reason = outcome.reason.replaceAll(/\s+/g, ' ').slice(0, 500);
  const file = path.join(folder, RUN_FILE.exit);
  const text = `${outcome.by} ${outcome.code ?? '-'} ${finishedAt} ${reason}\n`;
  writeAndClose(fs.openSync(`${file}.tmp`, 'w', 0o600), text);
  fs.renameSync(`${file}.tmp`, file);
  return text;
}

export function hasRecord(folder: string): boolean {
  return fs.existsSync(path.join(folder, RUN_FILE.exit));
}

/**
 * True: the run has no exit record, and its runner takes no other run after it, so that it may be killed. The order first,
 * then the look: a runner writes the record first, and then looks for the order.
 */
export function orderKill(folder: string): boolean {
  const order = path.join(folder, RUN_FILE.stop);
  if (hasRecord(folder)) return false;
  if (!fs.existsSync(order)) fs.writeFileSync(order, 'stop 9 0 removed\n', { mode: 0o600 });
  return !hasRecord(folder);
}

function readText(folder: string, name: string): string | undefined {
  const file = path.join(folder, name);
  // Each runner looks twice a second, and an error costs ten times as much as this.
  if (!fs.existsSync(file)) return undefined;
  try {
    return fs.readFileSync(file, 'utf8').trim();
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
  const value = Number(readText(folder, RUN_FILE.until)?.split(' ')[0] ?? Number.NaN);
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

export function readSocket(folder: string): string | undefined {
  const [, socket] = readText(folder, RUN_FILE.claim)?.split('\n') ?? [];
  return socket ?? readText(folder, RUN_FILE.socket);
}
