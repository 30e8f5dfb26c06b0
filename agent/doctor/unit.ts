/** The systemd unit of the agent: one that kills plugins and runs with it takes away what this agent is for. */
import { readFile } from 'node:fs/promises';
import { failure, fine, skipped, type Check, type Finding } from '../../adapters/doctor/check.ts';
import { ownUnit, type UnitRef } from '../../adapters/systemd/own-unit.ts';
import { systemctlShow, type UnitProperties } from '../../adapters/systemd/unit-properties.ts';
import { ASKED, killsWork } from '../unit/kills-work.ts';
import type { LiveAgent } from './ask-agent.ts';

const INSTALLED: UnitRef = { name: 'limpet-agent.service', user: false };

export function unitCheck(agent: LiveAgent, processExecutor: boolean): Check {
  return {
    name: 'unit',
    look: async () => {
      const pid = agent.state === 'answers' ? agent.status.pid : undefined;
      const unit = pid === undefined ? INSTALLED : await unitOf(pid);
      if (unit === undefined) return skipped('the agent runs in no unit of systemd');
      const shown = await systemctlShow(unit, ['LoadState', ...ASKED]).catch(() => undefined);
      if (shown === undefined) return skipped('systemd does not answer here');
      if (pid !== undefined && shown.get('MainPID') !== String(pid))
        return skipped(`the agent runs below ${unit.name}, which is not its own unit`);
      return unitFinding(unit, shown, processExecutor);
    },
  };
}

export function unitFinding(
  unit: UnitRef,
  shown: UnitProperties,
  processExecutor: boolean,
): Finding {
  if (shown.get('LoadState') !== 'loaded') return skipped(`there is no unit ${unit.name}`);
  const [first, ...more] = killsWork({ ...unit, properties: shown }, processExecutor);
  const killMode = shown.get('KillMode') ?? '';
  return first === undefined
    ? fine(`${unit.name}: KillMode=${killMode}, OOMPolicy=${shown.get('OOMPolicy') ?? ''}`)
    : failure([first, ...more].join('; '), 'see deploy/limpet-agent.service for a unit that fits');
}

async function unitOf(pid: number): Promise<UnitRef | undefined> {
  return ownUnit(await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => ''));
}
