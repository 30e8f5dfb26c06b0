/** One error class with a closed union of codes; every message says what failed, what was expected, what to do. */
export const ERROR_CODES = [
  'invalid-id',
  'invalid-argument', // a value that a person or a program sent: flag, job file, request body
  'invalid-config',
  'invalid-job',
  'not-found',
  'ambiguous-id',
  'already-exists', // same key, other content (another spec hash for the same run)
  'conflict', // the state does not allow this (stop of a finished job)
  'unauthorized',
  'forbidden',
  'too-large',
  'exhausted', // a bound was reached: outbox, disk, capacity
  'unavailable', // the peer is not there: connection refused, 503, no responder
  'timeout', // the peer is there but silent
  'permission-denied', // by the broker, the engine or the file system
  'unimplemented',
  'version-mismatch', // stored or sent by a newer version
  'store-locked',
  'store-corrupt',
  'store-missing', // the marker says that there was a store, and it is gone
  'store-failed', // I/O error, disk full
  'plugin-failed', // an executor plugin could not be started or died
  'engine-failed', // the container engine answered with an error
  'refused', // the work itself cannot be run: missing image, invalid module
  'cancelled',
  'internal',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export class LimpetError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'LimpetError';
    this.code = code;
  }

  /** Converts anything that was thrown; a LimpetError stays itself, an AbortError becomes `cancelled`. */
  static from(thrown: unknown, code: ErrorCode = 'internal'): LimpetError {
    if (thrown instanceof LimpetError) return thrown;
    if (thrown instanceof Error) {
      const known = thrown.name === 'AbortError' ? 'cancelled' : code;
      return new LimpetError(known, thrown.message, { cause: thrown });
    }
    return new LimpetError(code, String(thrown));
  }
}

/** One line for people out of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The compiler's proof that a switch is exhaustive. */
export function assertNever(value: never): never {
  throw new LimpetError('internal', `unexpected value ${JSON.stringify(value)}`);
}
