/** TLS options for npm nats. With them it refuses a broker without TLS. */
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { isIP } from 'node:net';
import type { TlsOptions } from 'nats';
import type { TransportTls } from './port.ts';

/** undefined: TLS is not asked for. It is by `tls://` in an address, and by naming files. */
export function tlsOptions(
  servers: readonly string[],
  tls: TransportTls | undefined,
): TlsOptions | undefined {
  if (tls === undefined && !servers.some((server) => server.startsWith('tls://'))) return undefined;
  const names = servers.map(hostOf);
  const [first = ''] = names;
  const named = {
    ...tls,
    // npm nats tells no name for an address, and Node then takes `localhost`.
    checkServerIdentity: (_: string, certificate: PeerCertificate) => identify(names, certificate),
    ...(names.length === 1 && isIP(first) === 0 ? { servername: first } : {}),
  };
  return named;
}

/** A certificate has to be for one of the hosts that the config names, whichever of them was dialled. */
function identify(names: readonly string[], certificate: PeerCertificate): Error | undefined {
  const wrong = names.map((name) => checkServerIdentity(name, certificate));
  return wrong.includes(undefined) ? undefined : wrong[0];
}

function hostOf(server: string): string {
  const url = new URL(server.replace(/^([a-z]+:\/\/)?/, 'http://'));
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}
