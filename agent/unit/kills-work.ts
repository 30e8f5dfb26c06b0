/** Whether the unit of this agent would end plugins and runs together with it. */
import type { UnitRef } from '../../adapters/systemd/own-unit.ts';
import type { UnitProperties } from '../../adapters/systemd/unit-properties.ts';

export const ASKED = ['MainPID', 'KillMode', 'SendSIGKILL', 'OOMPolicy', 'Delegate'] as const;

export interface Unit extends UnitRef {
  readonly properties: UnitProperties;
}

/** One sentence each, with what to do. */
export function killsWork(unit: Unit, processExecutor: boolean): readonly string[] {
  const of = (name: (typeof ASKED)[number]): string => unit.properties.get(name) ?? '';
  const [killMode, oomPolicy] = [of('KillMode'), of('OOMPolicy')];
  const kills =
    killMode === 'control-group' || (killMode === 'mixed' && of('SendSIGKILL') !== 'no');
  return [
    ...(kills
      ? [
          problem(
            unit,
            ['KillMode', killMode, 'process'],
            'it ends plugins and runs with the agent',
          ),
        ]
      : []),
    ...(oomPolicy === 'stop' || oomPolicy === 'kill'
      ? [
          problem(
            unit,
            ['OOMPolicy', oomPolicy, 'continue'],
            'it ends the agent when one run is killed for memory',
          ),
        ]
      : []),
    ...(processExecutor && of('Delegate') === 'no'
      ? [
          problem(
            unit,
            ['Delegate', 'no', 'yes'],
            'systemd may move or limit processes of runs as its own',
          ),
        ]
      : []),
  ];
}

type Setting = readonly [name: string, found: string, wanted: string];

function problem({ name, user }: UnitRef, [what, found, wanted]: Setting, why: string): string {
  const edit = user ? 'systemctl --user edit' : 'systemctl edit';
  return `the unit ${name} has ${what}=${found}: ${why}; set ${what}=${wanted} in its [Service] (${edit} ${name}) and restart it`;
}
