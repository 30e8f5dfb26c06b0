/** The HTTP server on loopback, and endpoint.json, which tells clients of this machine where it is. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { serve, type ServerType } from '@hono/node-server';
import { Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { writeDurably } from '../../adapters/durable/write-durably.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { agentRoutes } from './agent-routes.ts';
import { apiTokenRoutes } from './api-token-routes.ts';
import type { ApiContext } from './context.ts';
import { errorAnswer } from './errors.ts';
import { Gate, guardPlace } from './guard.ts';
import { jobRoutes } from './job-routes.ts';
import { limpetRoutes } from './limpet-routes.ts';
import { nodeRoutes } from './node-routes.ts';
import { resultRoutes } from './results.ts';
import { RouteTable, type ApiEnv, type RouteRule } from './route-table.ts';
import { API_VERSION } from './version.ts';

export interface Api {
  readonly url: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How long requests that run get to end when the server stops; streams are cut. */
const GRACE_MS = 500;

/** Errors: `unavailable` when the port is taken. */
export async function serveApi(context: ApiContext): Promise<Api> {
  const { host } = context.config.http;
  const { server, port } = await listen(buildApp(context).app, context);
  const url = `http://${host === '::1' ? '[::1]' : host}:${port}`;
  const endpoint = join(context.folder, 'endpoint.json');
  await writeDurably(endpoint, `${JSON.stringify({ url, pid: process.pid })}\n`);
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      await rm(endpoint, { force: true });
      await close(server);
    },
  };
}

/** The app, and the table of its routes. */
export function buildApp(context: ApiContext): {
  readonly app: Hono<ApiEnv>;
  readonly rules: readonly RouteRule[];
} {
  const { config, log, token, tokens, clock } = context;
  const app = new Hono<ApiEnv>();
  app.use(async (c, next) => {
    c.header('X-Request-Id', c.req.header('x-request-id') ?? randomUUID());
    c.header('X-Bacalhau-Git-Version', API_VERSION);
    await next();
  });
  app.use(guardPlace([]));
  const gate = new Gate({ token, clock, find: (text) => tokens.find(text) });
  const routes = new RouteTable({
    app,
    admit: (access) => gate.admit(access),
    limit: limitBody(config.http.maxBodyBytes),
    answered: () => undefined,
  });
  agentRoutes(routes, context);
  jobRoutes(routes, context);
  nodeRoutes(routes, context);
  resultRoutes(routes, context);
  limpetRoutes(routes, context);
  apiTokenRoutes(routes, context);
  app.notFound((c) => {
    // Whoever has no token does not learn what there is.
    gate.caller(c.req.header('authorization'));
    throw new LimpetError('not-found', 'The requested resource/URL was not found.');
  });
  app.onError((thrown, c) => {
    const error = LimpetError.from(thrown);
    const { status, body } = errorAnswer(error, c.req.header('x-request-id') ?? '');
    if (status === 500) log.error('api.failed', { path: c.req.path, error: thrown });
    return c.json(body, status);
  });
  return { app, rules: routes.rules };
}

function limitBody(maxSize: number): MiddlewareHandler {
  return bodyLimit({
    maxSize,
    onError: () => {
      throw new LimpetError('too-large', `the body is larger than ${maxSize} bytes`);
    },
  });
}

function listen(
  app: Hono<ApiEnv>,
  { config }: ApiContext,
): Promise<{ readonly server: ServerType; readonly port: number }> {
  const { host, port } = config.http;
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: host, port }, (info) =>
      resolve({ server, port: info.port }),
    );
    server.once('error', (error) =>
      reject(
        new LimpetError('unavailable', `cannot listen on ${host}:${port}: ${messageOf(error)}`, {
          cause: error,
        }),
      ),
    );
  });
}

async function close(server: ServerType): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const cut = setTimeout(() => cutAll(server), GRACE_MS);
  await closed;
  clearTimeout(cut);
}

function cutAll(server: ServerType): void {
  if ('closeAllConnections' in server) server.closeAllConnections();
}
