/** The credentials that the agent has for the broker, as far as this user may read them; nothing is joined or renewed. */
import { existsSync } from 'node:fs';
import {
  isDenied,
  failure,
  fine,
  notAllowed,
  skipped,
  warning,
  type Finding,
} from '../../adapters/doctor/check.ts';
import type { Identity } from '../../adapters/identity/identity-file.ts';
import { passwordOf } from '../../adapters/nats/credentials.ts';
import { credsFile } from '../../adapters/nats/creds-file.ts';
import type { Credentials, TransportTls } from '../../adapters/nats/port.ts';
import { LimpetError } from '../../core/errors.ts';
import type { AgentConfig } from '../config.ts';
import { caFile, readJwt, readKeyFile, readTokenFile } from '../join/files.ts';
import { wayIn } from '../join/way-in.ts';

export interface Way {
  readonly finding: Finding;
  /** undefined: none are known, or they cannot be read. */
  readonly credentials: Credentials | undefined;
  readonly tls: TransportTls | undefined;
}

/** systemd's copy for the unit, and what it is made of: `limpet install agent` puts the key there. */
const OF_UNIT = '/run/credentials/limpet-agent.service';
const INSTALLED_KEY = '/etc/limpet/keys/agent.nkey';

export function credentialsOf(
  { nats, dataDir }: AgentConfig,
  identity: Identity | undefined,
  environment: Readonly<NodeJS.ProcessEnv>,
): Way {
  const authority = existsSync(caFile(dataDir)) ? { caFile: caFile(dataDir) } : undefined;
  const tls = nats.tls === undefined ? authority : { ...authority, ...withoutUndefined(nats.tls) };
  const told = (finding: Finding, credentials?: Credentials): Way => ({
    finding,
    credentials,
    tls,
  });
  try {
    const folder =
      environment['CREDENTIALS_DIRECTORY'] ?? (existsSync(OF_UNIT) ? OF_UNIT : undefined);
    const way = wayIn(nats, folder);
    if (way.type === 'creds') return told(fine(`out of ${way.file}`), credsFile(way.file)());
    if (way.type === 'password') return told(fine(`user ${way.user}`), passwordOf(nats));
    const keyFile = way.type === 'key' ? way.keyFile : INSTALLED_KEY;
    if (way.type === 'none' && !existsSync(keyFile))
      return told(skipped('none are configured: the broker has to let everybody in'));
    const tokenFile = way.type === 'key' ? way.tokenFile : undefined;
    return ofKey({ dataDir, keyFile, tokenFile, folder, identity }, told);
  } catch (thrown) {
    const cause = thrown instanceof Error ? thrown.cause : undefined;
    const { message } = LimpetError.from(thrown);
    return told(
      isDenied(thrown) || isDenied(cause)
        ? notAllowed(message)
        : failure(message, 'correct the nats section of the config, or the file'),
    );
  }
}

interface KeyPlace {
  readonly dataDir: string;
  readonly keyFile: string;
  readonly tokenFile: string | undefined;
  readonly folder: string | undefined;
  readonly identity: Identity | undefined;
}

function ofKey(
  { dataDir, keyFile, tokenFile, folder, identity }: KeyPlace,
  told: (finding: Finding, credentials?: Credentials) => Way,
): Way {
  const { seed, publicKey } = readKeyFile(keyFile, folder);
  const stored =
    identity === undefined ? undefined : readJwt(dataDir, { nodeId: identity.nodeId, publicKey });
  const join =
    'make a token on the requester (limpet node token create) and put it into the token file';
  if (stored === undefined) {
    const token = readTokenFile(tokenFile);
    if (token.type === 'unreadable') return told(failure(token.reason, join));
    return told(
      token.type === 'token'
        ? warning('not joined yet; there is a join token', 'start the agent, and see its log')
        : failure('not joined, and there is no join token', join),
    );
  }
  const { text: jwt, expiresAt } = stored.jwt;
  const credentials = { type: 'jwt', jwt, seed } as const;
  if (!Number.isFinite(expiresAt)) return told(fine('joined, without an end'), credentials);
  const until = new Date(expiresAt).toISOString();
  return expiresAt > Date.now()
    ? told(fine(`joined, valid until ${until}; renewed before`), credentials)
    : told(failure(`they ended at ${until}`, join), credentials);
}

function withoutUndefined(tls: NonNullable<AgentConfig['nats']['tls']>): TransportTls {
  const { caFile: ca, certFile, keyFile } = tls;
  return {
    ...(ca === undefined ? {} : { caFile: ca }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  };
}
