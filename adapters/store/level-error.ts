/** What LevelDB throws, as one line of ours. */
import { LimpetError, messageOf } from '../../core/errors.ts';

/** LevelDB's own code, below the one of the JavaScript around it. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const own = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const outer = own === 'LEVEL_DATABASE_NOT_OPEN' || error instanceof LimpetError;
  return outer && error.cause !== undefined ? codeOf(error.cause) || own : own;
}

export function rootMessage(error: unknown): string {
  return error instanceof Error && error.cause !== undefined
    ? rootMessage(error.cause)
    : messageOf(error);
}

export function levelError(what: string, folder: string, error: unknown): LimpetError {
  const code = codeOf(error);
  if (code === 'LEVEL_LOCKED')
    return new LimpetError(
      'store-locked',
      `the store in ${folder} is in use by another process; stop that one, or use another data folder`,
      { cause: error },
    );
  if (code === 'LEVEL_CORRUPTION')
    return new LimpetError(
      'store-corrupt',
      `the store in ${folder} is damaged: ${rootMessage(error)}; copy the folder before any repair`,
      { cause: error },
    );
  return new LimpetError(
    'store-failed',
    `cannot ${what} the store in ${folder}: ${rootMessage(error)}`,
    { cause: error },
  );
}
