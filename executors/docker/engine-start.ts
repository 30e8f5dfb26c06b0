/** When the engine's process was started, from its pid file and /proc. */
import { readFile } from 'node:fs/promises';

/** USER_HZ of every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** ms since the epoch; undefined when any part cannot be read. */
export async function engineStartedAt(pidFile: string): Promise<number | undefined> {
  try {
    const pid = Number((await readFile(pidFile, 'utf8')).trim());
    if (!Number.isInteger(pid) || pid <= 0) return undefined;
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const boot = /^btime (\d+)$/m.exec(await readFile('/proc/stat', 'utf8'))?.[1];
    // Field 22 of stat; the name is field 2, so that field 3 is the first one here.
    const ticks = Number(afterName[19]);
    if (boot === undefined || !Number.isFinite(ticks)) return undefined;
    return Number(boot) * 1000 + (ticks * 1000) / TICKS_PER_SECOND;
  } catch {
    return undefined;
  }
}
