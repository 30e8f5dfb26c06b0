/** What an operator does after an installation. */
import type { Host } from './host.ts';
import { LAYOUT, PREFIX } from './layout.ts';
import type { RequesterWishes } from './requester-plan.ts';

export function agentNextSteps(host: Host, started: boolean): string {
  const docker = host.has('/run/docker.sock') || host.has('/var/run/docker.sock');
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
          `no Docker engine:  it offers docker all the same; set executors.docker.enabled to false, or install one and run this again`,
        ]),
    'who else may ask it: usermod --append --groups limpet NAME',
  ]);
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
