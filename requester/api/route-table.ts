/**
 * The only way to add a route: its access stands before its path, and nothing answers without one.
 *
 *   routes.add('operator', 'PUT /api/v1/orchestrator/nodes/:id', (c) => ...)
 *
 * Access is the least role that may ask (wire/roles.ts), `open` (no token) or `signed` (a reader, or a URL signed by us).
 * `c.get('caller')` is who asks. docs/security.md has the table of all routes, and a test holds the two together.
 */
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono, MiddlewareHandler } from 'hono';
import type { WebSocket } from 'ws';
import { LimpetError } from '../../core/errors.ts';
import type { Role } from '../../wire/roles.ts';

export type Access = Role | 'open' | 'signed';

/** Who asks. The file `token` is the admin's, and has no name. */
export interface Caller {
  readonly role: Role;
  readonly name?: string;
}

export interface ApiEnv {
  Bindings: Partial<HttpBindings> & {
    /** Of a request for a WebSocket, which has no `outgoing`. */
    readonly takeSocket?: () => Promise<WebSocket>;
  };
  Variables: { caller: Caller; rule: RouteRule | undefined };
}

export type ApiCall = Context<ApiEnv>;

export interface RouteRule {
  readonly method: string;
  readonly path: string;
  readonly access: Access;
}

type Pattern = `${'GET' | 'PUT' | 'POST' | 'DELETE'} /${string}`;

export interface RouteTableParts {
  readonly app: Hono<ApiEnv>;
  /** Runs before the route: lets the caller in, or throws. */
  readonly admit: (access: Access) => MiddlewareHandler<ApiEnv>;
  /** Runs after `admit`. */
  readonly limit: MiddlewareHandler;
}

export class RouteTable {
  readonly #parts: RouteTableParts;
  readonly #rules: RouteRule[] = [];

  constructor(parts: RouteTableParts) {
    this.#parts = parts;
  }

  get rules(): readonly RouteRule[] {
    return this.#rules;
  }

  /** No route has come in beside this table. Errors: `internal`. */
  seal(): void {
    for (const { method, path } of this.#parts.app.routes)
      if (method !== 'ALL' && !this.#rules.some((r) => r.method === method && r.path === path))
        throw new LimpetError('internal', `route ${method} ${path} names no access`);
  }

  add(
    access: Access,
    pattern: Pattern,
    answer: (call: ApiCall) => Response | Promise<Response>,
  ): void {
    const [method = '', path = ''] = pattern.split(' ');
    const rule = { method, path, access };
    const { app, admit, limit } = this.#parts;
    this.#rules.push(rule);
    app.on(
      method,
      path,
      async (c, next) => {
        c.set('rule', rule);
        await next();
      },
      admit(access),
      limit,
      answer,
    );
  }
}
