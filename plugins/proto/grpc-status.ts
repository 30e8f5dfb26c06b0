/**
 * LimpetError to gRPC status and back. The exact code travels in the trailer `limpet-code`; a plugin in another language
 * sends none, and then the status alone decides.
 */
import { Metadata, status } from '@grpc/grpc-js';
import { ERROR_CODES, LimpetError, messageOf, type ErrorCode } from '../../core/errors.ts';

const TRAILER = 'limpet-code';

const STATUS_OF: Readonly<Record<ErrorCode, status>> = {
  'invalid-id': status.INVALID_ARGUMENT,
  'invalid-argument': status.INVALID_ARGUMENT,
  'invalid-config': status.INVALID_ARGUMENT,
  'invalid-job': status.INVALID_ARGUMENT,
  'not-found': status.NOT_FOUND,
  'ambiguous-id': status.INVALID_ARGUMENT,
  'already-exists': status.ALREADY_EXISTS,
  conflict: status.FAILED_PRECONDITION,
  unauthorized: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  'too-large': status.INVALID_ARGUMENT,
  exhausted: status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
  timeout: status.DEADLINE_EXCEEDED,
  'permission-denied': status.PERMISSION_DENIED,
  unimplemented: status.UNIMPLEMENTED,
  'version-mismatch': status.FAILED_PRECONDITION,
  'store-locked': status.INTERNAL,
  'store-corrupt': status.DATA_LOSS,
  'store-missing': status.INTERNAL,
  'store-failed': status.INTERNAL,
  'plugin-failed': status.INTERNAL,
  'engine-failed': status.INTERNAL,
  refused: status.FAILED_PRECONDITION,
  cancelled: status.CANCELLED,
  internal: status.INTERNAL,
};

const CODE_OF: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [status.INVALID_ARGUMENT, 'invalid-argument'],
  [status.OUT_OF_RANGE, 'invalid-argument'],
  [status.NOT_FOUND, 'not-found'],
  [status.ALREADY_EXISTS, 'already-exists'],
  [status.FAILED_PRECONDITION, 'refused'],
  [status.ABORTED, 'conflict'],
  [status.UNAUTHENTICATED, 'unauthorized'],
  [status.PERMISSION_DENIED, 'permission-denied'],
  [status.RESOURCE_EXHAUSTED, 'exhausted'],
  [status.UNAVAILABLE, 'unavailable'],
  [status.DEADLINE_EXCEEDED, 'timeout'],
  [status.CANCELLED, 'cancelled'],
  [status.UNIMPLEMENTED, 'unimplemented'],
]);

export interface WireError extends Error {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** The text travels in a header: a long one would break the connection, with all other calls on it. */
const MOST_DETAILS = 2000;

function shortened(text: string): string {
  if (text.length <= MOST_DETAILS) return text;
  return `${text.slice(0, MOST_DETAILS)}... (${text.length - MOST_DETAILS} more characters)`;
}

/** What a server answers for anything that a handler threw. */
export function toStatus(thrown: unknown): WireError {
  const error = LimpetError.from(thrown);
  const metadata = new Metadata();
  metadata.set(TRAILER, error.code);
  return Object.assign(new Error(error.message), {
    code: STATUS_OF[error.code],
    details: shortened(error.message),
    metadata,
  });
}

/** What a client throws for anything that a call failed with; a status that says nothing is `plugin-failed`. */
export function fromStatus(thrown: unknown): LimpetError {
  if (thrown instanceof LimpetError) return thrown;
  if (!isWireError(thrown))
    return new LimpetError('plugin-failed', messageOf(thrown), { cause: thrown });
  const exact = thrown.metadata.get(TRAILER)[0];
  const code =
    ERROR_CODES.find((known) => known === exact) ?? CODE_OF.get(thrown.code) ?? 'plugin-failed';
  return new LimpetError(code, thrown.details, { cause: thrown });
}

function isWireError(thrown: unknown): thrown is WireError {
  return (
    thrown instanceof Error &&
    'code' in thrown &&
    typeof thrown.code === 'number' &&
    'details' in thrown &&
    typeof thrown.details === 'string' &&
    'metadata' in thrown &&
    thrown.metadata instanceof Metadata
  );
}
