/** From what docker-modem throws to our codes. */
import { LimpetError, messageOf } from '../../plugins/sdk/index.ts';

const NO_ENGINE = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'ECONNRESET',
  'EPIPE',
  'ENOTSOCK',
  'ECONNABORTED',
]);

function property(thrown: unknown, name: string): unknown {
  return typeof thrown === 'object' && thrown !== null ? Reflect.get(thrown, name) : undefined;
}

/** HTTP status of an engine's answer; undefined when it never answered. */
export function statusOf(thrown: unknown): number | undefined {
  const error = thrown instanceof LimpetError ? thrown.cause : thrown;
  const status = property(error, 'statusCode');
  return typeof status === 'number' ? status : undefined;
}

/** The engine's own words, on one line. */
export function engineMessage(thrown: unknown): string {
  const error = thrown instanceof LimpetError ? thrown.cause : thrown;
  const message = property(property(error, 'json'), 'message');
  const text = typeof message === 'string' ? message : messageOf(thrown);
  // docker-modem puts its own words before the engine's.
  return text
    .replace(/^\(HTTP code \d+\) [a-z ]+ - /, '')
    .trim()
    .replace(/\s+/g, ' ');
}

export function isMissing(thrown: unknown): boolean {
  return statusOf(thrown) === 404;
}

/** undefined for what the engine does not have. */
export async function orMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
}

/** The engine is out of reach, as opposed to having said no. */
export function isAway(thrown: unknown): boolean {
  return (
    thrown instanceof LimpetError &&
    (thrown.code === 'unavailable' ||
      thrown.code === 'timeout' ||
      thrown.code === 'permission-denied')
  );
}

/** `what` is the call in a person's words: `inspect container x`. */
export function engineError(what: string, host: string, thrown: unknown): LimpetError {
  if (thrown instanceof LimpetError) return thrown;
  const status = statusOf(thrown);
  const options = { cause: thrown };
  if (status === 404)
    return new LimpetError('not-found', `${what} failed: ${engineMessage(thrown)}`, options);
  if (status === 409)
    return new LimpetError('conflict', `${what} failed: ${engineMessage(thrown)}`, options);
  if (status === 503)
    return new LimpetError('unavailable', `${what} failed: ${engineMessage(thrown)}`, options);
  if (status !== undefined)
    return new LimpetError('engine-failed', `${what} failed: ${engineMessage(thrown)}`, options);
  const code = property(thrown, 'code');
  if (code === 'EACCES' || code === 'EPERM')
    return new LimpetError(
      'permission-denied',
      `${what} failed: no permission on ${host}; add the agent's user to the group of that socket`,
      options,
    );
  if (messageOf(thrown) === 'aborted' || (typeof code === 'string' && NO_ENGINE.has(code)))
    return new LimpetError(
      'unavailable',
      `${what} failed: no Docker engine at ${host} (${typeof code === 'string' ? code : 'connection lost'}); start it`,
      options,
    );
  return new LimpetError('engine-failed', `${what} failed: ${messageOf(thrown)}`, options);
}
