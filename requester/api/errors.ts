/** Errors on HTTP, in Bacalhau's body: {Status, Message, RequestID, Code, Component, Hint?, Details?}. */
import type { ErrorCode, LimpetError } from '../../core/errors.ts';

interface Answer {
  readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 428 | 429 | 500 | 501 | 503 | 504;
  readonly code: string;
}

const ANSWERS: Partial<Readonly<Record<ErrorCode, Answer>>> = {
  'invalid-id': { status: 400, code: 'BadRequest' },
  'invalid-argument': { status: 400, code: 'BadRequest' },
  'invalid-job': { status: 400, code: 'ValidationError' },
  'not-found': { status: 404, code: 'NotFound' },
  'ambiguous-id': { status: 409, code: 'MultipleJobsFound' },
  'already-exists': { status: 409, code: 'ResourceInUse' },
  conflict: { status: 409, code: 'ConflictJobState' },
  unauthorized: { status: 401, code: 'Unauthorized' },
  forbidden: { status: 403, code: 'Forbidden' },
  'too-large': { status: 413, code: 'BadRequest' },
  exhausted: { status: 429, code: 'ResourceExhausted' },
  unavailable: { status: 503, code: 'ServiceUnavailable' },
  timeout: { status: 504, code: 'TimeOut' },
  unimplemented: { status: 501, code: 'NotImplemented' },
  'version-mismatch': { status: 400, code: 'VersionMismatch' },
  refused: { status: 409, code: 'BadRequest' },
};

export function errorAnswer(error: LimpetError, requestId: string) {
  const { status, code } = ANSWERS[error.code] ?? { status: 500 as const, code: 'InternalError' };
  const body = {
    Status: status,
    Message: error.message,
    RequestID: requestId,
    Code: code,
    Component: 'Limpet',
    Details: { code: error.code },
  };
  return { status, body };
}
