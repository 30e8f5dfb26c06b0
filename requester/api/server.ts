/** The HTTP API: its app, the server, and endpoint.json, which tells clients of this machine where it is. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { writeDurably } from '../../adapters/durable/write-durably.ts';
import { LimpetError } from '../../core/errors.ts';
import type { RequesterMetrics } from '../metrics/list.ts';
import { agentRoutes } from './agent-routes.ts';
import { apiTokenRoutes } from './api-token-routes.ts';
import type { ApiContext } from './context.ts';
import { errorAnswer } from './errors.ts';
import { Gate, guardPlace } from './guard.ts';
import { jobRoutes } from './job-routes.ts';
import { limpetRoutes } from './limpet-routes.ts';
import { logRoutes } from './log-routes.ts';
import { logSocketRoute } from './log-socket.ts';
import { schemaRoutes } from './schema-routes.ts';
import { inUrl, listen } from './listen.ts';
import { metricsRoute } from './metrics-route.ts';
import { nodeDecisionRoute } from './node-decision.ts';
import { nodeRoutes } from './node-routes.ts';
import { nodeTokenRoutes } from './node-tokens.ts';
import { resultRoutes } from './results.ts';
import { RouteTable, type ApiEnv, type RouteRule } from './route-table.ts';
import { API_VERSION } from './version.ts';

/** Of a body that is too large so much is read before the answer. */
const DISCARD_BYTES = 64 * 1024 * 1024;

export interface Api {
  readonly url: string;
  readonly routes: readonly RouteRule[];
  /** See `Listening`. */
  renewCertificate(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Errors: `unavailable` when the port is taken, `invalid-config`. */
export async function serveApi(context: ApiContext): Promise<Api> {
  const { config, folder, log } = context;
  const { app, rules } = buildApp(context);
  const { url, misnamed, renewCertificate, close } = await listen(app, config.http);
  if (misnamed !== undefined) log.warn('api.misnamed', { url, reason: misnamed });
  const endpoint = join(folder, 'endpoint.json');
  const caFile = config.http.tls?.caFile;
  const told = { url, pid: process.pid, ...(caFile === undefined ? {} : { caFile }) };
  await writeDurably(endpoint, `${JSON.stringify(told)}\n`);
  return {
    ...{ url, routes: rules, renewCertificate },
    [Symbol.asyncDispose]: async () => {
      await rm(endpoint, { force: true });
      await close();
    },
  };
}

/** The app, and the table of its routes. */
function buildApp(context: ApiContext): {
  readonly app: Hono<ApiEnv>;
  readonly rules: readonly RouteRule[];
} {
  const { config, log, token, tokens, clock, metrics } = context;
  const app = new Hono<ApiEnv>();
  app.use(signAnswers);
  app.use(meter(metrics));
  app.use(guardPlace([config.http.host, ...config.http.names].map(inUrl)));
  const gate = new Gate({ token, clock, find: (text) => tokens.find(text) });
  const routes = new RouteTable({
    app,
    admit: (access) => gate.admit(access),
    limit: limitBody(config.http.maxBodyBytes),
  });
  agentRoutes(routes, context);
  jobRoutes(routes, context);
  nodeRoutes(routes, context);
  resultRoutes(routes, context);
  limpetRoutes(routes, context);
  logRoutes(routes, context);
  logSocketRoute(routes, context);
  schemaRoutes(routes, context);
  apiTokenRoutes(routes, context);
  nodeDecisionRoute(routes, context);
  nodeTokenRoutes(routes, context);
  metricsRoute(routes, context);
  routes.seal();
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

const signAnswers: MiddlewareHandler = async (c, next) => {
  c.header('X-Request-Id', c.req.header('x-request-id') ?? randomUUID());
  c.header('X-Bacalhau-Git-Version', API_VERSION);
  await next();
};

function meter(metrics: RequesterMetrics): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    await next();
    // What a stranger makes up is no label.
    const { method, path } = c.get('rule') ?? { method: 'other', path: 'unknown' };
    const labels = { method, route: path, status: String(c.res.status) };
    metrics.count('limpet_api_requests_total', labels);
  };
}

function limitBody(maxSize: number): MiddlewareHandler {
  return bodyLimit({
    maxSize,
    onError: async ({ req }) => {
      await discard(req.raw.body);
      throw new LimpetError('too-large', `the body is larger than ${maxSize} bytes`);
    },
  });
}

/** A client that still sends would otherwise find a broken connection instead of the answer. */
async function discard(body: ReadableStream<Uint8Array> | null): Promise<void> {
  if (body === null || body.locked) return;
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > DISCARD_BYTES) return;
  }
}
