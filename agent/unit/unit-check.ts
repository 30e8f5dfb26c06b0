/** Asks systemd, once at the start, how it would treat this agent's work. Never fails a start: not knowing is no problem. */
import { readFile } from 'node:fs/promises';
import { messageOf } from '../../core/errors.ts';
import type { Logger } from '../../adapters/log/port.ts';
import { ownUnit } from '../../adapters/systemd/own-unit.ts';
import { systemctlShow, type AskUnit } from '../../adapters/systemd/unit-properties.ts';
import { ASKED, killsWork } from './kills-work.ts';

export interface UnitCheck {
  readonly processExecutor: boolean;
  readonly log: Logger;
  readonly ask?: AskUnit;
  /** Content of /proc/self/cgroup. */
  readonly cgroup?: () => Promise<string>;
}

/**
 * Empty too for an agent that is not what its unit was started for: in a terminal, below another service. What that does
 * to its children is the business of whoever started it there.
 */
export async function unitProblems({
  processExecutor,
  log,
  ask = systemctlShow,
  cgroup = () => readFile('/proc/self/cgroup', 'utf8'),
}: UnitCheck): Promise<readonly string[]> {
  try {
    const ref = ownUnit(await cgroup());
    if (ref === undefined) return [];
    const properties = await ask(ref, ASKED);
    const main = properties.get('MainPID');
    if (main === '0' || (main !== String(process.pid) && main !== String(process.ppid))) return [];
    const problems = killsWork({ ...ref, properties }, processExecutor);
    for (const reason of problems) log.warn('unit.kills-work', { unit: ref.name, reason });
    return problems;
  } catch (thrown) {
    log.debug('unit.not-asked', { reason: messageOf(thrown) });
    return [];
  }
}
