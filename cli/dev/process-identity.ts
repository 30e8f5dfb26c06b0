/** A process by more than its pid, which may be another's tomorrow: start time and boot. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

export const identitySchema = z.object({ pid: z.int(), startTime: z.string(), bootId: z.string() });
export type Identity = z.infer<typeof identitySchema>;

/** Undefined when there is no such process, or it is a zombie. */
export function identify(pid: number): Identity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; what follows it begins with the state, field 3.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTime = fields[19];
    if (startTime === undefined || fields[0] === 'Z') return undefined;
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return { pid, startTime, bootId };
  } catch {
    return undefined;
  }
}

export function isAlive(identity: Identity): boolean {
  const now = identify(identity.pid);
  return now?.startTime === identity.startTime && now.bootId === identity.bootId;
}

/** False when it is no more. */
export function signalProcess(identity: Identity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch {
    return false;
  }
}
