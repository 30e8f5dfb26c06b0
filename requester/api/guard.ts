/**
 * Who may ask. Pages of other sites must not reach a server on loopback: their requests carry a foreign Origin, or, after a
 * DNS rebind, a foreign Host. Every route names the role that it needs (route-table.ts); a few harmless ones are open.
 */
import type { MiddlewareHandler } from 'hono';
import type { Clock } from '../../adapters/clock/port.ts';
import { LimpetError } from '../../core/errors.ts';
import { hasRole, type Role } from '../../wire/roles.ts';
import type { Access, ApiEnv, Caller } from './route-table.ts';
import { sameSecret, signPath } from './token.ts';

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

/** Any port: tunnels and free ports change it, and a name that is not ours cannot stand before it. */
export function guardPlace(names: readonly string[]): MiddlewareHandler {
  const ours = new Set([...LOOPBACK, ...names.map((name) => name.toLowerCase())]);
  const check = (header: string, place: string): void => {
    if (!ours.has(place.toLowerCase().replace(/:\d+$/, '')))
      throw new LimpetError(
        'forbidden',
        `${header} '${place}' is foreign; this API answers only on ${[...ours].join(', ')} (http.names of its config)`,
      );
  };
  return async ({ req }, next) => {
    check('Host', req.header('host') ?? '');
    const origin = req.header('origin');
    if (origin !== undefined) check('Origin', originHost(origin));
    await next();
  };
}

function originHost(origin: string): string {
  try {
    return new URL(origin).host;
  } catch {
    return origin;
  }
}

export interface GateParts {
  /** The file `token`: the admin's, and the key of signed URLs. */
  readonly token: string;
  readonly clock: Clock;
  /** Who has this token, other than the admin. Errors: `unauthorized` (expired, revoked). */
  readonly find: (secret: string) => Caller | undefined;
}

export class Gate {
  readonly #parts: GateParts;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /** Errors: `unauthorized` (no token, or no good one), `forbidden` (another role is needed). */
  admit(access: Access): MiddlewareHandler<ApiEnv> {
    return async (c, next) => {
      const signed = access === 'signed' && this.#isSigned(new URL(c.req.url));
      if (access !== 'open' && !signed) {
        const caller = this.caller(c.req.header('authorization'));
        checkRole(caller, access === 'signed' ? 'reader' : access);
        c.set('caller', caller);
      }
      await next();
    };
  }

  /** Errors: `unauthorized`. */
  caller(authorization: string | undefined): Caller {
    const { token, find } = this.#parts;
    const given = /^Bearer\s+(\S+)$/i.exec(authorization ?? '')?.[1];
    if (given === undefined)
      throw new LimpetError('unauthorized', `the bearer token is missing; ${WHERE}`);
    if (sameSecret(given, token)) return { role: 'admin' };
    const caller = find(given);
    if (caller === undefined)
      throw new LimpetError('unauthorized', `the bearer token is wrong; ${WHERE}`);
    return caller;
  }

  /** Only archives have such URLs: {path}?exp=&sig= of the results list. */
  #isSigned(url: URL): boolean {
    const { token, clock } = this.#parts;
    const sig = url.searchParams.get('sig');
    const exp = Number(url.searchParams.get('exp'));
    if (sig === null) return false;
    if (!(exp > clock.now()))
      throw new LimpetError('forbidden', 'this URL has expired; ask for the results again');
    if (!sameSecret(sig, signPath(token, url.pathname, exp)))
      throw new LimpetError(
        'forbidden',
        'the signature of this URL is wrong; ask for the results again',
      );
    return true;
  }
}

const WHERE =
  "the admin's is in the file token of the data folder, others are made with `limpet requester token create`";

function checkRole({ role, name }: Caller, needed: Role): void {
  if (hasRole(role, needed)) return;
  throw new LimpetError(
    'forbidden',
    `this needs the role ${needed}; token '${name ?? ''}' has the role ${role}`,
  );
}
