/** What npm nats throws, told apart in our own codes. */
import { ErrorCode, NatsError } from 'nats';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { Credentials } from './port.ts';
import { tlsDetail } from './tls-errors.ts';
import { readUserJwt } from './user-jwt.ts';

/** Begins every line about a broker that does not take the credentials. */
export const REFUSED = 'permission-denied';

/** A request that failed for another reason than a lost broker. */
export function requestError(thrown: unknown, subject: string, timeoutMs: number): LimpetError {
  const options = { cause: thrown };
  switch (codeOf(thrown)) {
    case ErrorCode.NoResponders:
      return new LimpetError(
        'unavailable',
        `nobody answers on ${subject}: the peer is not connected`,
        options,
      );
    case ErrorCode.Timeout:
      return new LimpetError(
        'timeout',
        `no answer on ${subject} within ${timeoutMs} ms: the peer is silent`,
        options,
      );
    default:
      return sendError(thrown, subject);
  }
}

/** A payload that could not be handed to the broker. */
export function sendError(thrown: unknown, subject: string): LimpetError {
  const options = { cause: thrown };
  switch (codeOf(thrown)) {
    case ErrorCode.PermissionsViolation:
      return new LimpetError(
        'permission-denied',
        `the broker does not allow this node to use ${subject}`,
        options,
      );
    case ErrorCode.MaxPayloadExceeded:
      return new LimpetError(
        'too-large',
        `a message for ${subject} is above the broker's payload limit`,
        options,
      );
    case ErrorCode.ConnectionClosed:
    case ErrorCode.ConnectionDraining:
    case ErrorCode.Disconnect:
      return new LimpetError(
        'unavailable',
        `the connection to the broker is closed; nothing was sent on ${subject}`,
        options,
      );
    default:
      return LimpetError.from(thrown);
  }
}

/** One line on why there is no connection; `thrown` may be the code of what the broker has said. */
export function connectionDetail(
  thrown: unknown,
  broker: string,
  credentials?: Credentials,
): string {
  if (thrown instanceof LimpetError) return thrown.message;
  switch (typeof thrown === 'string' ? thrown : codeOf(thrown)) {
    case ErrorCode.AuthorizationViolation:
    case ErrorCode.BadAuthentication:
    case ErrorCode.AuthenticationExpired:
    case ErrorCode.AccountExpired:
      return `${REFUSED}: the broker ${broker} ${refusal(credentials)}`;
    case ErrorCode.ConnectionRefused:
      return `the broker ${broker} refuses connections: is it running?`;
    case ErrorCode.Timeout:
    case ErrorCode.ConnectionTimeout:
    case ErrorCode.AuthenticationTimeout:
      return `the broker ${broker} does not answer`;
    case ErrorCode.ProtocolError:
      return `the broker ${broker} has ended the connection`;
    default:
      return (
        tlsDetail(thrown, broker) ??
        `no connection to the broker ${broker}: ${messageOf(thrown).split('\n')[0] ?? ''}`
      );
  }
}

/** A broker says no more than that it refuses; what can be known here is added. */
function refusal(credentials: Credentials | undefined): string {
  if (credentials === undefined) return 'refuses a program without credentials';
  const refused = 'refuses these credentials';
  if (credentials.type === 'password') return `${refused} of user ${credentials.user}`;
  const jwt = readUserJwt(credentials.jwt);
  if (jwt === undefined) return refused;
  const end = Number.isFinite(jwt.expiresAt) ? new Date(jwt.expiresAt).toISOString() : 'ever';
  return jwt.expiresAt < Date.now()
    ? `${refused}: the JWT of ${jwt.name} expired at ${end}`
    : `${refused}: the JWT of ${jwt.name} (until ${end}) was revoked, or is not of this broker's operator`;
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof NatsError ? thrown.code : undefined;
}
