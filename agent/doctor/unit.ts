/** The systemd unit of the agent: one that kills plugins and runs with it takes away what this agent is for. */
import { readFile } from 'node:fs/promises';
import { fine, skipped, failure, type Check, type Finding } from '../../adapters/doctor/check.ts';
import { outputOf } from '../../adapters/doctor/command.ts';
import type { LiveAgent } from './ask-agent.ts';

const INSTALLED = 'limpet-agent.service';
const PROPERTIES = ['LoadState', 'KillMode', 'OOMPolicy', 'Delegate'];

export function unitCheck(agent: LiveAgent, processExecutor: boolean): Check {
  return {
    name: 'unit',
    look: async () => {
      const pid = agent.state === 'answers' ? agent.status.pid : undefined;
      const unit = pid === undefined ? INSTALLED : await unitOf(pid);
      if (unit === undefined) return skipped('the agent runs in no unit of systemd');
      const args = ['show', unit, ...PROPERTIES.map((name) => `--property=${name}`)];
      const text = await outputOf('systemctl', args);
      if (text === undefined) return skipped('systemd does not answer here');
      return unitFinding(unit, text, processExecutor);
    },
  };
}

export function unitFinding(unit: string, shown: string, processExecutor: boolean): Finding {
  const value = new Map(
    shown
      .split('\n')
      .map((line) => [...line.split('=', 2), ''])
      .map(pair),
  );
  if (value.get('LoadState') !== 'loaded') return skipped(`there is no unit ${unit}`);
  const killMode = value.get('KillMode') ?? '';
  const wrong = [
    ...(['process', 'none'].includes(killMode)
      ? []
      : [`KillMode=${killMode} ends plugins and runs with the agent; set KillMode=process`]),
    ...(value.get('OOMPolicy') === 'continue'
      ? []
      : [
          `OOMPolicy=${value.get('OOMPolicy') ?? ''} ends the agent when a run has too little memory; set OOMPolicy=continue`,
        ]),
    ...(processExecutor && value.get('Delegate') !== 'yes'
      ? ['Delegate=no leaves the process executor without cgroups; set Delegate=yes']
      : []),
  ];
  if (wrong.length === 0) return fine(`${unit}: KillMode=${killMode}, OOMPolicy=continue`);
  return failure(
    `${unit}: ${wrong.join('; ')}`,
    `systemctl edit ${unit}, then systemctl daemon-reload`,
  );
}

function pair([name = '', value = '']: readonly string[]): readonly [string, string] {
  return [name, value];
}

async function unitOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  return /\/([^/\n]+\.service)(?:\/|$)/m.exec(text)?.[1];
}
