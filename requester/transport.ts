/** How a requester of this config reaches its broker. What the config leaves open, its authority has. */
import { passwordOf } from '../adapters/nats/credentials.ts';
import { credsFile } from '../adapters/nats/creds-file.ts';
import type { Credentials, TransportOptions, TransportTls } from '../adapters/nats/port.ts';
import { existsSync } from 'node:fs';
import { REQUESTER_INBOX } from '../wire/permissions.ts';
import { filesOf } from './authority/layout.ts';
import type { Config } from './config.ts';

/** Errors: `invalid-config` (a credentials file that is none). */
export function transportOptions(config: Config): TransportOptions {
  return {
    servers: config.nats.servers,
    name: 'limpet-requester',
    inboxPrefix: REQUESTER_INBOX,
    credentials: credentialsOf(config),
    ...tlsOf(config),
  };
}

/** The same, as the user that tells the broker which keys are void. */
export function systemTransportOptions(config: Config, authority: string): TransportOptions {
  return {
    ...transportOptions(config),
    name: 'limpet-requester-system',
    inboxPrefix: '_INBOX.system',
    credentials: credsFile(filesOf(authority).systemCreds),
  };
}

function credentialsOf({ nats, authority }: Config): () => Credentials | undefined {
  if (nats.credsFile !== undefined) return credsFile(nats.credsFile);
  if (authority === undefined || nats.user !== undefined) return () => passwordOf(nats);
  return credsFile(filesOf(authority).requesterCreds);
}

function tlsOf({ nats, authority }: Config): { readonly tls?: () => TransportTls } {
  const ca = authority === undefined ? undefined : filesOf(authority).caCertificate;
  const own = ca !== undefined && existsSync(ca) ? { caFile: ca } : {};
  const { caFile, certFile, keyFile } = nats.tls ?? {};
  const files = {
    ...own,
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  };
  return Object.keys(files).length === 0 ? {} : { tls: () => files };
}
