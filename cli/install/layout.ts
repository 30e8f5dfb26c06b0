/** Where an installed Limpet is. Every path is the host's own; `Host` puts it below --root. */
export const PREFIX = '/opt/limpet';

export const LAYOUT = {
  prefix: PREFIX,
  versions: `${PREFIX}/versions`,
  current: `${PREFIX}/current`,
  previous: `${PREFIX}/previous`,
  /** What this installation has made and how: see record.ts. */
  record: `${PREFIX}/install.json`,
  /** The journal of an upgrade that is not over: see journal.ts. */
  journal: `${PREFIX}/upgrade.json`,
  command: '/usr/local/bin/limpet',
  etc: '/etc/limpet',
  agentConfig: '/etc/limpet/agent.config.json',
  requesterConfig: '/etc/limpet/requester.config.json',
  /** Programs of the operator. */
  plugins: '/usr/local/lib/limpet/plugins',
  pluginsParent: '/usr/local/lib/limpet',
  agentCa: '/etc/limpet/nats-ca.pem',
  keys: '/etc/limpet/keys',
  agentKey: '/etc/limpet/keys/agent.nkey',
  joinToken: '/etc/limpet/keys/join.token',
  authority: '/etc/limpet/authority',
  units: '/etc/systemd/system',
  data: '/var/lib/limpet',
  agentData: '/var/lib/limpet/agent',
  requesterData: '/var/lib/limpet/requester',
  natsData: '/var/lib/limpet/nats',
} as const;

export const GROUP = 'limpet';

export const SERVICES = {
  agent: { unit: 'limpet-agent.service', user: 'limpet-agent' },
  requester: { unit: 'limpet-requester.service', user: 'limpet-requester' },
  nats: { unit: 'limpet-nats.service', user: 'limpet-nats' },
} as const;

export type ServiceName = keyof typeof SERVICES;
