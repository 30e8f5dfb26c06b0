/** The gauges, out of the status of the agent. */
import { EXECUTION_STATES } from '../../core/execution/states.ts';
import type { AgentStatus } from '../api/status.ts';
import type { Metric, Sample } from './metrics.ts';

export function statusMetrics(status: AgentStatus): Metric[] {
  const { executions, foreign, quarantined, link } = status;
  const byState = EXECUTION_STATES.map((state) => ({
    labels: { state },
    value: executions.filter((execution) => execution.state === state).length,
  }));
  const ready = status.readyMs === undefined ? -1 : status.readyMs / 1000;
  return [
    gauge('limpet_executions', 'Executions of which something may be left, by state.', byState),
    ...executorMetrics(status.executors),
    one('limpet_agent_ready_seconds', 'From process start to every executor recovered.', ready),
    one('limpet_foreign_runs', 'Runs of this node without a record of their own.', foreign.length),
    one('limpet_store_quarantined_records', 'Records not readable.', quarantined.length),
    one(
      'limpet_link_up',
      'Whether the requester has accepted this node.',
      flag(link.state === 'linked'),
    ),
  ];
}

type Executor = AgentStatus['executors'][number];

function executorMetrics(executors: AgentStatus['executors']): Metric[] {
  const each = (name: string, help: string, value: (executor: Executor) => number): Metric =>
    gauge(
      `limpet_executor_${name}`,
      help,
      executors.map((executor) => ({
        labels: { executor: executor.name },
        value: value(executor),
      })),
    );
  return [
    each('healthy', 'Whether the executor is healthy.', (e) => flag(e.health === 'healthy')),
    each('reattached', 'Whether its plugin was found alive.', (e) => flag(e.reattached === true)),
    each('restarts', 'Restarts of its plugin by this agent process.', (e) => e.restarts),
    each('recovery_seconds', 'How long its last recovery took.', (e) => e.recoveryMs / 1000),
  ];
}

function flag(is: boolean): number {
  return is ? 1 : 0;
}

function one(name: string, help: string, value: number): Metric {
  return gauge(name, help, [{ value }]);
}

function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: 'gauge', help, samples };
}
