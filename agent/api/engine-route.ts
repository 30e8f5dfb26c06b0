/** POST /executors/:name/accept-engine: `limpet agent engine accept NAME`. */
import type { Hono } from 'hono';
import type { AcceptedEngine } from '../executions/accept-engine.ts';

export interface EngineRouteDeps {
  /** Errors: `not-found` (no such executor), `unavailable`, `unimplemented`. */
  acceptEngine(executor: string): Promise<AcceptedEngine>;
}

export function engineRoute(app: Hono, deps: EngineRouteDeps): void {
  app.post('/executors/:name/accept-engine', async (c) =>
    c.json(await deps.acceptEngine(c.req.param('name'))),
  );
}
