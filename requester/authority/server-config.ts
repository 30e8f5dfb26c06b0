/** nats-server.conf for the broker of an authority; for nats-server 2.9.10 and newer. */
import type { AboutAuthority, AuthorityFiles } from './layout.ts';

export interface Broker {
  readonly port: number;
  /** Reached from other hosts: it listens on every address, else on loopback. */
  readonly open: boolean;
  readonly tls: boolean;
  /** Where the broker keeps the newest claims; absolute. */
  readonly dataFolder: string;
}

export interface Preload {
  readonly operatorJwt: string;
  readonly accountJwt: string;
  readonly systemAccountJwt: string;
}

export function serverConfig(
  about: Pick<AboutAuthority, 'account' | 'systemAccount'>,
  { operatorJwt, accountJwt, systemAccountJwt }: Preload,
  { files, broker }: { readonly files: AuthorityFiles; readonly broker: Broker },
): string {
  const tls = `
tls {
  cert_file: "${files.serverCertificate}"
  key_file: "${files.serverKey}"
  # For certificates of clients too (mTLS): ca_file: "...", verify: true
  timeout: 5
}
`;
  return `# Made by \`limpet requester init\`. Start the broker with: nats-server -c ${files.serverConfig}
host: ${broker.open ? '"0.0.0.0"' : '"127.0.0.1"'}
port: ${broker.port}
${broker.tls ? tls : ''}
# A node that is gone without a word is let go of after a minute.
ping_interval: "20s"
ping_max: 2
write_deadline: "5s"
max_payload: 1MB

operator: ${operatorJwt}
system_account: ${about.systemAccount}

# Of these claims the requester sends newer ones, which are kept here.
resolver {
  type: full
  dir: "${broker.dataFolder}"
  allow_delete: false
  interval: "2m"
}
resolver_preload {
  ${about.systemAccount}: ${systemAccountJwt}
  ${about.account}: ${accountJwt}
}
`;
}
