/**
 * The agent's unix socket (HTTP/JSON): what an operator on this host asks.
 *
 *   GET  /health       {ok} 200 or 503
 *   GET  /status       AgentStatus
 *   GET  /executions/:id/history
 *   what explains: see explain/routes.ts
 *   POST /executors/:name/accept-engine   {engineId, givenUp}: see engine-route.ts
 *   POST /stop         {mode?: "detach" | "drain" | "kill"}: see stopping.ts; as SIGTERM when there is none
 */
import { chmod, rm } from 'node:fs/promises';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { parseExecutionId, type ExecutionId } from '../../core/ids.ts';
import type { ExecutionEvent } from '../../wire/messages.ts';
import { explainRoutes, type ExplainDeps } from '../explain/routes.ts';
import { engineRoute, type EngineRouteDeps } from './engine-route.ts';
import { foreignRoutes, type ForeignRoutesDeps } from './foreign-routes.ts';
import { STOP_MODES, type StopMode } from '../stopping.ts';
import type { AgentStatus } from './status.ts';

export interface LocalApiDeps extends ExplainDeps, EngineRouteDeps, ForeignRoutesDeps {
  status(): AgentStatus;
  history(id: ExecutionId): Promise<readonly ExecutionEvent[]>;
  /** Ends the program, as its config says when no mode is given; answers before it does. */
  stop(mode?: StopMode): StopMode;
}

const stopSchema = z.strictObject({ mode: z.enum(STOP_MODES).optional() });

export function localApi(deps: LocalApiDeps): Hono {
  const app = new Hono();
  app.get('/health', (c) => {
    const { ok, degraded } = deps.status();
    return c.json({ ok, degraded }, ok ? 200 : 503);
  });
  app.get('/status', (c) => c.json(deps.status()));
  explainRoutes(app, deps);
  engineRoute(app, deps);
  foreignRoutes(app, deps);
  app.get('/executions/:id/history', async (c) => {
    const id = parseExecutionId(c.req.param('id'));
    const events = await deps.history(id);
    if (events.length === 0) throw new LimpetError('not-found', `this node has no execution ${id}`);
    return c.json({ events });
  });
  app.post('/stop', async (c) => {
    const body = stopSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success)
      throw new LimpetError(
        'invalid-argument',
        `stop: expected {"mode": MODE} with one of ${STOP_MODES.join(', ')}, or {}`,
      );
    return c.json({ stopping: deps.stop(body.data.mode) });
  });
  app.onError((thrown, c) => {
    const error = LimpetError.from(thrown);
    const status = error.code === 'not-found' ? 404 : error.code.startsWith('invalid') ? 400 : 500;
    return c.json({ code: error.code, message: error.message }, status);
  });
  return app;
}

/** Listens on a unix socket with mode 0600; answers the way to stop. Throws `unavailable`. */
export async function listenLocal(app: Hono, socket: string): Promise<() => Promise<void>> {
  await rm(socket, { force: true });
  const server = createAdaptorServer({ fetch: app.fetch });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: Error) => {
      reject(
        new LimpetError('unavailable', `socket ${socket}: ${error.message}`, { cause: error }),
      );
    });
    server.listen(socket, resolve);
  });
  await chmod(socket, 0o600);
  return async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    if ('closeAllConnections' in server) server.closeAllConnections();
    await closed;
    await rm(socket, { force: true });
  };
}
