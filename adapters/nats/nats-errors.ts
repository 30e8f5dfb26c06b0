/** What npm nats throws, told apart in our own codes. */
import { ErrorCode, NatsError } from 'nats';
import { LimpetError } from '../../core/errors.ts';

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

/** One line on why there is no connection. */
export function connectionDetail(thrown: unknown, broker: string): string {
  switch (codeOf(thrown)) {
    case ErrorCode.AuthorizationViolation:
    case ErrorCode.BadAuthentication:
    case ErrorCode.AuthenticationExpired:
      return `permission-denied: the broker ${broker} refuses these credentials`;
    case ErrorCode.ConnectionRefused:
      return `the broker ${broker} refuses connections: is it running?`;
    case ErrorCode.Timeout:
    case ErrorCode.ConnectionTimeout:
      return `the broker ${broker} does not answer`;
    default:
      return `no connection to the broker ${broker}: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  }
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof NatsError ? thrown.code : undefined;
}
