/** One connection to the broker, once; what is tried again, and when, is the transport's. */
import {
  connect,
  jwtAuthenticator,
  usernamePasswordAuthenticator,
  type Auth,
  type NatsConnection,
} from 'nats';
import { LimpetError } from '../../core/errors.ts';
import type { Credentials, TransportOptions } from './port.ts';
import { tlsOptions } from './tls.ts';
import { readUserJwt } from './user-jwt.ts';
import { readUserKey } from './user-key.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const PING_INTERVAL_MS = 10_000;
const MAX_PINGS_OUT = 2;

/** Rejects with what npm nats and Node throw, and with what `credentials` throws. */
export async function dial(
  { servers, name, inboxPrefix, tls, pingIntervalMs }: TransportOptions,
  credentials: Credentials | undefined,
): Promise<NatsConnection> {
  const asked = tlsOptions(servers, tls?.());
  const proof = proofOf(credentials);
  return connect({
    servers: [...servers],
    noRandomize: true,
    // Names of /etc/hosts count, as for every other program.
    resolve: false,
    name,
    inboxPrefix,
    authenticator: proof,
    ...(asked === undefined ? {} : { tls: asked }),
    timeout: CONNECT_TIMEOUT_MS,
    pingInterval: pingIntervalMs ?? PING_INTERVAL_MS,
    maxPingOut: MAX_PINGS_OUT,
    reconnect: false,
    noAsyncTraces: true,
  });
}

function proofOf(credentials: Credentials | undefined): (nonce?: string) => Auth {
  if (credentials === undefined) return () => undefined;
  if (credentials.type === 'password')
    return usernamePasswordAuthenticator(credentials.user, credentials.password);
  const { jwt, seed } = credentials;
  // The broker would only say that it refuses them.
  if (readUserJwt(jwt)?.publicKey !== readUserKey(seed, 'the credentials').publicKey)
    throw new LimpetError('invalid-config', 'the key is not the one that the JWT is about');
  return jwtAuthenticator(jwt, new TextEncoder().encode(seed));
}
