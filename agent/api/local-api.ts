/**
 * The agent's unix socket (HTTP/JSON): what an operator on this host asks.
 *
 *   GET  /health       {ok} 200 or 503
 *   GET  /status       AgentStatus
 *   GET  /executions/:id/history
 *   what explains: see explain/routes.ts
 *   POST /executors/:name/accept-engine   {engineId, givenUp}: see engine-route.ts
 *   /plugins...        see plugin-routes.ts
 *   POST /drain        {on: boolean}: see drain.ts
 *   POST /reload       reads the config again: see reload-route.ts
 *   POST /stop         {mode?: "detach" | "drain" | "kill"}: see stopping.ts; as SIGTERM when there is none
 */
import { chmod, rm } from 'node:fs/promises';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { parseExecutionId, type ExecutionId } from '../../core/ids.ts';
import type { AgentStatusAnswer } from '../../wire/agent-status.ts';
import type { ExecutionEvent } from '../../wire/messages.ts';
import { explainRoutes, type ExplainDeps } from '../explain/routes.ts';
import { drainRoute, type DrainRouteDeps } from './drain-route.ts';
import { engineRoute, type EngineRouteDeps } from './engine-route.ts';
import { foreignRoutes, type ForeignRoutesDeps } from './foreign-routes.ts';
import { STOP_MODES, type StopMode } from '../stopping.ts';
import { pluginRoutes, type PluginRoutesDeps } from './plugin-routes.ts';
import { reloadRoute, type ReloadRouteDeps } from './reload-route.ts';
import { serveRoutes, type ApiRequest, type Reply, type Route } from './routes.ts';
import type { SocketDoor } from './socket-door.ts';
import type { AgentStatus } from './status.ts';

export interface LocalApiDeps
  extends
    ExplainDeps,
    EngineRouteDeps,
    ForeignRoutesDeps,
    PluginRoutesDeps,
    DrainRouteDeps,
    ReloadRouteDeps {
  status(): AgentStatus;
  history(id: ExecutionId): Promise<readonly ExecutionEvent[]>;
  /** Ends the program, as its config says when no mode is given; answers before it does. */
  stop(mode?: StopMode): StopMode;
}

const stopSchema = z.strictObject({ mode: z.enum(STOP_MODES).optional() });

export function localApi(deps: LocalApiDeps): readonly Route[] {
  return [
    { method: 'GET', path: '/health', answer: () => health(deps) },
    { method: 'GET', path: '/status', answer: () => status(deps) },
    { method: 'GET', path: '/executions/:id/history', answer: (request) => history(deps, request) },
    { method: 'POST', path: '/stop', answer: (request) => stop(deps, request) },
    ...explainRoutes(deps),
    engineRoute(deps),
    drainRoute(deps),
    reloadRoute(deps),
    ...foreignRoutes(deps),
    ...pluginRoutes(deps.plugins),
  ];
}

/** At least what others rely on. */
function status(deps: LocalApiDeps): Reply {
  const json: AgentStatusAnswer = deps.status();
  return { json };
}

function health(deps: LocalApiDeps): Reply {
  const { ok, degraded } = deps.status();
  return { json: { ok, degraded }, status: ok ? 200 : 503 };
}

async function history(deps: LocalApiDeps, request: ApiRequest): Promise<Reply> {
  const id = parseExecutionId(request.param('id'));
  const events = await deps.history(id);
  if (events.length === 0) throw new LimpetError('not-found', `this node has no execution ${id}`);
  return { json: { events } };
}

async function stop(deps: LocalApiDeps, request: ApiRequest): Promise<Reply> {
  const body = stopSchema.safeParse(await request.json());
  if (!body.success)
    throw new LimpetError(
      'invalid-argument',
      `stop: expected {"mode": MODE} with one of ${STOP_MODES.join(', ')}, or {}`,
    );
  return { json: { stopping: deps.stop(body.data.mode) } };
}

/** Listens on a unix socket, for its user alone but for what `door` opens; answers the way to stop. Throws `unavailable`. */
export async function listenLocal(
  routes: readonly Route[],
  socket: string,
  door?: Pick<SocketDoor, 'open'>,
): Promise<() => Promise<void>> {
  await rm(socket, { force: true });
  const server = serveRoutes(routes);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: Error) => {
      reject(
        new LimpetError('unavailable', `socket ${socket}: ${error.message}`, { cause: error }),
      );
    });
    server.listen(socket, resolve);
  });
  await (door === undefined ? chmod(socket, 0o600) : door.open(socket));
  return async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
    await rm(socket, { force: true });
  };
}
