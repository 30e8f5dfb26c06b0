/** POST /executors/:name/accept-engine: `limpet agent engine accept NAME`. */
import type { AcceptedEngine } from '../executions/accept-engine.ts';
import type { Route } from './routes.ts';

export interface EngineRouteDeps {
  /** Errors: `not-found` (no such executor), `unavailable`, `unimplemented`. */
  acceptEngine(executor: string): Promise<AcceptedEngine>;
}

export function engineRoute(deps: EngineRouteDeps): Route {
  return {
    method: 'POST',
    path: '/executors/:name/accept-engine',
    answer: async (request) => ({ json: await deps.acceptEngine(request.param('name')) }),
  };
}
