/** Which process the engine is and when it was started, from its pid file and /proc. */
import { readFileSync } from 'node:fs';

/** USER_HZ of every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface EngineProcess {
  /** `<pid>-<start time, ticks>-<first part of the boot id>`: never the same for two starts, and free of the clock. */
  readonly id: string;
  /** ms since the epoch by the clock as it is set now. */
  readonly startedAt: number;
}

/** undefined when any part cannot be read. To be trusted just after the engine has answered: a dead one leaves its pid file. */
export async function engineProcess(
  pidFile: string,
  bootId: string,
): Promise<EngineProcess | undefined> {
  try {
    const pid = Number(readFileSync(pidFile, 'utf8').trim());
    if (!Number.isInteger(pid) || pid <= 0) return undefined;
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // Field 22 of stat; the name is field 2, so that field 3 is the first one here.
    const ticks = Number(afterName[19]);
    // Before the read of the uptime, so that a delay makes the start earlier and never later.
    const now = Date.now();
    const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    if (!Number.isFinite(ticks) || !Number.isFinite(uptime)) return undefined;
    const startedAt = Math.floor(now - uptime * 1000 + (ticks * 1000) / TICKS_PER_SECOND);
    return { id: `${pid}-${ticks}-${bootId.slice(0, 8)}`, startedAt };
  } catch {
    return undefined;
  }
}
