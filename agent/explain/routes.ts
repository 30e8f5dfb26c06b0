/**
 * The explaining part of the agent's socket.
 *
 *   GET /recover/plan          RecoveryPlan: what recovery would do now, without doing it
 *   GET /executions/:id        NodeExplanation: desired, stored, observed, decision, history
 *   GET /metrics               counters and gauges in Prometheus' text form
 */
import type { Hono } from 'hono';
import type { Explainer } from './explainer.ts';

export interface ExplainDeps {
  readonly explainer: Explainer;
  metrics(): string;
}

export function explainRoutes(app: Hono, deps: ExplainDeps): void {
  const { explainer } = deps;
  app.get('/recover/plan', async (c) => c.json(await explainer.plan()));
  app.get('/executions/:id', async (c) => c.json(await explainer.execution(c.req.param('id'))));
  app.get('/metrics', (c) => c.text(deps.metrics()));
}
