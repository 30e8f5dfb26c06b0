/**
 * Who may ask. Pages of other sites must not reach a server on loopback: their requests carry a foreign Origin, or, after a
 * DNS rebind, a foreign Host. Everything but a few harmless paths needs the token.
 */
import type { MiddlewareHandler } from 'hono';
import type { Clock } from '../../adapters/clock/port.ts';
import { LimpetError } from '../../core/errors.ts';
import { sameSecret, signPath } from './token.ts';

const OPEN = new Set([
  '/api/v1/auth',
  '/api/v1/agent/alive',
  '/api/v1/agent/version',
  '/api/v1/agent/authconfig',
]);

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

export function guard(token: string, clock: Clock): MiddlewareHandler {
  return async (context, next) => {
    const { req } = context;
    checkPlace('Host', req.header('host') ?? '');
    const origin = req.header('origin');
    if (origin !== undefined) checkPlace('Origin', originHost(origin));
    const url = new URL(req.url);
    if (!OPEN.has(url.pathname) && !isSigned(url, token, clock.now()))
      checkToken(req.header('authorization'), token);
    await next();
  };
}

/** Any port: tunnels and free ports change it, and a name that is not ours cannot stand before it. */
function checkPlace(header: string, host: string): void {
  const name = host.toLowerCase().replace(/:\d+$/, '');
  if (!LOOPBACK.has(name))
    throw new LimpetError(
      'forbidden',
      `${header} '${host}' is foreign; this API answers only on loopback names`,
    );
}

function originHost(origin: string): string {
  try {
    return new URL(origin).host;
  } catch {
    return origin;
  }
}

function checkToken(authorization: string | undefined, token: string): void {
  const given = /^Bearer\s+(\S+)$/i.exec(authorization ?? '')?.[1];
  if (given === undefined)
    throw new LimpetError(
      'unauthorized',
      'the bearer token is missing; it is in the file token of the data folder',
    );
  if (!sameSecret(given, token))
    throw new LimpetError(
      'unauthorized',
      'the bearer token is wrong; it is in the file token of the data folder',
    );
}

/** Only archives have such URLs: {path}?exp=&sig= of the results list. */
function isSigned(url: URL, token: string, now: number): boolean {
  const sig = url.searchParams.get('sig');
  const exp = Number(url.searchParams.get('exp'));
  if (sig === null || !url.pathname.endsWith('/result.tar.gz')) return false;
  if (!(exp > now))
    throw new LimpetError('forbidden', 'this URL has expired; ask for the results again');
  if (!sameSecret(sig, signPath(token, url.pathname, exp)))
    throw new LimpetError(
      'forbidden',
      'the signature of this URL is wrong; ask for the results again',
    );
  return true;
}
