/** The agent's connection to the broker: with what its config says that it shows there. */
import { hostname } from 'node:os';
import type { Clock } from '../../adapters/clock/port.ts';
import type { Identity } from '../../adapters/identity/identity-file.ts';
import type { Logger } from '../../adapters/log/port.ts';
import { credsFile } from '../../adapters/nats/creds-file.ts';
import { connectTransport } from '../../adapters/nats/nats-transport.ts';
import type { BrokerTransport, TransportOptions, TransportTls } from '../../adapters/nats/port.ts';
import { inboxPrefix } from '../../wire/subjects.ts';
import type { AgentConfig } from '../config.ts';
import { readKeyFile } from './files.ts';
import { NodeCredentials } from './node-credentials.ts';
import { wayIn, type WayIn } from './way-in.ts';

export interface NodeConnection {
  readonly transport: BrokerTransport;
  /** One sentence for each thing that is not as it should be. */
  problems(): readonly string[];
  /** Before the transport. */
  close(): void;
}

export interface ConnectParts {
  readonly config: AgentConfig;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly log: Logger;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Errors: `invalid-config`: a file that cannot be used. A broker that is away, or refuses, is none. */
export async function connectAsNode(parts: ConnectParts): Promise<NodeConnection> {
  const { config, environment, log } = parts;
  const way = wayIn(config.nats, environment['CREDENTIALS_DIRECTORY']);
  if (way.type === 'key') return connectByKey(parts, way);
  const transport = await connectTransport(
    { ...baseOf(parts), credentials: plain(way), tls: () => tlsOf(config.nats) },
    log,
  );
  return { transport, problems: () => transport.problems(), close: () => undefined };
}

async function connectByKey(
  parts: ConnectParts,
  { keyFile, tokenFile }: Extract<WayIn, { type: 'key' }>,
): Promise<NodeConnection> {
  const { config, identity, clock, log, environment } = parts;
  const { servers, requestTimeoutMs } = config.nats;
  const credentialsDirectory = environment['CREDENTIALS_DIRECTORY'];
  const own = await NodeCredentials.load({
    key: readKeyFile(keyFile, credentialsDirectory),
    place: { servers, tokenFile, credentialsDirectory },
    dataDir: config.dataDir,
    nodeId: identity.nodeId,
    instanceId: identity.instanceId,
    name: config.name ?? hostname(),
    ...{ servers, timeoutMs: requestTimeoutMs, clock, log },
    tls: tlsOf(config.nats),
    early: Math.random(),
  });
  const transport = await connectTransport(
    { ...baseOf(parts), credentials: () => own.credentials(), tls: () => own.tls() },
    log,
  );
  own.start(transport);
  return {
    transport,
    problems: () => [...own.problems, ...transport.problems()],
    close: () => {
      own.close();
    },
  };
}

function baseOf({ config, identity }: ConnectParts): TransportOptions {
  const { servers, pingIntervalMs } = config.nats;
  return {
    servers,
    name: `limpet-agent ${identity.nodeId}`,
    inboxPrefix: inboxPrefix(identity.nodeId),
    pingIntervalMs,
  };
}

function plain(way: Exclude<WayIn, { type: 'key' }>): NonNullable<TransportOptions['credentials']> {
  if (way.type === 'creds') return credsFile(way.file);
  if (way.type === 'none') return () => undefined;
  const { user, password } = way;
  return () => ({ type: 'password', user, password });
}

function tlsOf({ tls }: AgentConfig['nats']): TransportTls | undefined {
  if (tls === undefined) return undefined;
  const { caFile, certFile, keyFile } = tls;
  return {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  };
}
