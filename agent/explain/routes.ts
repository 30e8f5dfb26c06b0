/**
 * The explaining part of the agent's socket.
 *
 *   GET /recover/plan          RecoveryPlan: what recovery would do now, without doing it
 *   GET /executions/:id        NodeExplanation: desired, stored, observed, decision, history
 *   GET /metrics               counters and gauges in Prometheus' text form
 */
import type { Route } from '../api/routes.ts';
import type { Explainer } from './explainer.ts';

export interface ExplainDeps {
  readonly explainer: Explainer;
  metrics(): Promise<string>;
}

export function explainRoutes(deps: ExplainDeps): readonly Route[] {
  const { explainer } = deps;
  return [
    {
      method: 'GET',
      path: '/recover/plan',
      answer: async () => ({ json: await explainer.plan() }),
    },
    {
      method: 'GET',
      path: '/executions/:id',
      answer: async (request) => ({ json: await explainer.execution(request.param('id')) }),
    },
    { method: 'GET', path: '/metrics', answer: async () => ({ text: await deps.metrics() }) },
  ];
}
