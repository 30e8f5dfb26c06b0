/** `limpet uninstall` as steps: takes away what an installation has made, and nothing else. */
import { GROUP, LAYOUT, SERVICES, type ServiceName } from './layout.ts';
import { recordFile, type InstallRecord } from './record.ts';
import type { Step } from './steps.ts';
import { processProfile } from './units.ts';

export interface UninstallWishes {
  /** Of the ones that are installed. */
  readonly services: readonly ServiceName[];
  /** Work, data, configuration, keys and users too. */
  readonly purge: boolean;
}

const DATA: Readonly<Record<ServiceName, string>> = {
  agent: LAYOUT.agentData,
  requester: LAYOUT.requesterData,
  nats: LAYOUT.natsData,
};

/** Of one service: what an operator made or would miss. Secrets among them are never shown anyway. */
const KEPT: Readonly<Record<ServiceName, readonly string[]>> = {
  agent: [LAYOUT.agentConfig, LAYOUT.agentCa, LAYOUT.keys],
  requester: [LAYOUT.requesterConfig, LAYOUT.authority],
  nats: [],
};

export function uninstallPlan(record: InstallRecord, wishes: UninstallWishes): readonly Step[] {
  const { services, purge } = wishes;
  const rest = record.services.filter((service) => !services.includes(service));
  const agent = services.includes('agent');
  return [
    // First of all: a reset may be refused, and then all the rest is as it was.
    ...(agent ? [stop('agent')] : []),
    ...(agent && purge
      ? [{ kind: 'reset', release: LAYOUT.current, node: record.node } as const]
      : []),
    ...services.filter((service) => service !== 'agent').map(stop),
    ...services.flatMap(unitRemoval),
    { kind: 'reload' },
    // An operator's programs stay, even when all else goes.
    ...(agent ? [LAYOUT.plugins, LAYOUT.pluginsParent].map(ifEmpty) : []),
    ...(purge ? services.flatMap((service) => purgeSteps(service, record)) : []),
    ...(rest.length === 0 ? lastSteps(record, purge) : [recordFile(after(record, wishes, rest))]),
  ];
}

function stop(service: ServiceName): Step {
  return { kind: 'stop', service };
}

function ifEmpty(path: string): Step {
  return { kind: 'remove-if-empty', path };
}

function unitRemoval(service: ServiceName): Step[] {
  const unit = `${LAYOUT.units}/${SERVICES[service].unit}`;
  const profile: Step[] =
    service === 'agent'
      ? [
          { kind: 'remove', path: processProfile },
          { kind: 'remove-if-empty', path: `${unit}.d` },
        ]
      : [];
  return [{ kind: 'remove', path: unit }, ...profile];
}

function purgeSteps(service: ServiceName, record: InstallRecord): Step[] {
  const { user } = SERVICES[service];
  return [
    ...[...KEPT[service], DATA[service]].map((path): Step => ({ kind: 'remove', path })),
    ...(record.users.includes(user) ? [{ kind: 'remove-user', name: user } as const] : []),
  ];
}

function lastSteps(record: InstallRecord, purge: boolean): Step[] {
  const empty = [LAYOUT.etc, LAYOUT.data].map(ifEmpty);
  const group: Step[] = record.groups.includes(GROUP)
    ? [{ kind: 'remove-group', name: GROUP }]
    : [];
  const ours = [LAYOUT.current, LAYOUT.previous, LAYOUT.versions, LAYOUT.journal, LAYOUT.record];
  return [
    { kind: 'remove', path: LAYOUT.command },
    ...(purge ? [...empty, ...group] : []),
    ...ours.map((path): Step => ({ kind: 'remove', path })),
    { kind: 'remove-if-empty', path: LAYOUT.prefix },
  ];
}

function after(
  record: InstallRecord,
  { purge, services }: UninstallWishes,
  rest: readonly ServiceName[],
): InstallRecord {
  const gone = purge ? services.map((service): string => SERVICES[service].user) : [];
  const users = record.users.filter((user) => !gone.includes(user));
  const process = rest.includes('agent') && record.process;
  return { ...record, services: [...rest], users, process };
}

/** What is left behind, and how it is removed by hand. */
export function leftBehind(record: InstallRecord, wishes: UninstallWishes): readonly string[] {
  if (wishes.purge) return [];
  const paths = wishes.services.flatMap((service) => [...KEPT[service], DATA[service]]);
  const users = wishes.services
    .map((service): string => SERVICES[service].user)
    .filter((user) => record.users.includes(user));
  return [
    `left, to be used again by the next installation: ${paths.join(' ')}`,
    `to remove that as well: rm -r ${paths.join(' ')}${users.map((user) => `; userdel ${user}`).join('')}`,
  ];
}
