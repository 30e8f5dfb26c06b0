/** What an operator does after an installation. */
import { z } from 'zod';
import type { Host } from './host.ts';
import { LAYOUT, PREFIX } from './layout.ts';
import type { RequesterWishes } from './requester-plan.ts';

const SOCKETS = ['/run/docker.sock', '/var/run/docker.sock'];

const configSchema = z.looseObject({
  executors: z.looseObject({ docker: z.looseObject({ enabled: z.literal(false) }) }),
});

export function agentNextSteps(host: Host, started: boolean): string {
  const docker = SOCKETS.some((path) => host.has(path)) || !wantsDocker(host);
  return lines([
    '',
    ...(host.isThisMachine ? [] : OTHER_ROOT),
    ...(started ? [] : ['to start it:       systemctl start limpet-agent']),
    'how it is:         limpet agent status   (limpet node list, at the requester)',
    'its log:           journalctl -u limpet-agent',
    `its configuration: ${LAYOUT.agentConfig}`,
    ...(docker
      ? []
      : [
          'no Docker engine:  install one and run this again, or set executors.docker.enabled to false',
        ]),
    'who else may ask it: usermod --append --groups limpet NAME',
  ]);
}

/** It does unless it is told. */
function wantsDocker(host: Host): boolean {
  const config = configSchema.safeParse(JSON.parse(host.read(LAYOUT.agentConfig) ?? '{}'));
  return !config.success;
}

export function requesterNextSteps(host: Host, { nats, hosts, start }: RequesterWishes): string {
  const [name = 'THIS-HOST'] = hosts;
  const scheme = hosts.length > 0 ? 'tls' : 'nats';
  return lines([
    '',
    ...(host.isThisMachine ? [] : OTHER_ROOT),
    ...(start
      ? []
      : [`to start it:       systemctl start ${nats ? 'limpet-nats ' : ''}limpet-requester`]),
    ...(nats ? [] : [`the broker:        nats-server -c ${LAYOUT.authority}/nats-server.conf`]),
    `token of the API:  ${LAYOUT.requesterData}/token (the admin's; others: limpet requester token create)`,
    `keep elsewhere:    ${LAYOUT.authority}/offline (who the operator is; no program needs it)`,
    'the first node:    limpet node token create > join.token   (here)',
    `                   limpet install agent --join ${scheme}://${name}:4222 --token-file join.token   (there, from the release)`,
    ...(hosts.length > 0
      ? []
      : [
          '                   the broker listens on loopback only: install with --host NAME for other hosts',
        ]),
    'how it is:         limpet node list; journalctl -u limpet-requester',
  ]);
}

const OTHER_ROOT = [
  `users:             none were made; run ${PREFIX}/current/bin/limpet install on the host itself, which gives all of this to them`,
];

function lines(all: readonly string[]): string {
  return all.join('\n');
}
