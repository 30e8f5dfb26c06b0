/** What the agent shows to Prometheus; docs/reference/metrics.md is made of this. No label is an id. */
import { Metrics, type MetricSpec } from '../../adapters/metrics/metrics.ts';

export const AGENT_METRICS = {
  limpet_agent_info: gauge('1, with the version of the agent.', 'version'),
  limpet_agent_ready_seconds: gauge(
    'From process start to every executor recovered; -1 while one is not.',
  ),
  limpet_agent_degraded: gauge('How many things are not as they should be; see agent status.'),
  limpet_agent_drained: gauge('Whether an operator has drained this node.'),
  limpet_executions: gauge(
    'Executions of which something may be left, by state.',
    ...['state', 'executor'],
  ),
  limpet_executions_ended_total: counter(
    'Executions that ended while this agent process ran: final state, and what ended the last run.',
    ...['executor', 'state', 'by'],
  ),
  limpet_foreign_runs: gauge('Runs of this node without a record of their own.'),
  limpet_executor_healthy: gauge('Whether the executor is healthy.', 'executor'),
  limpet_executor_reattached: gauge('Whether its plugin was found alive.', 'executor'),
  limpet_executor_restarts: gauge('Restarts of its plugin by this agent process.', 'executor'),
  limpet_executor_recovery_seconds: gauge('How long its last recovery took.', 'executor'),
  limpet_recovery_decisions_total: counter(
    'Decisions taken in a recovery pass, by rule and action.',
    ...['rule', 'action'],
  ),
  limpet_swept_total: counter('Leftovers removed by the sweep, by kind.', 'kind'),
  limpet_cpu_cores: gauge('Cores: `capacity` for executions, `allocated` to them.', 'kind'),
  limpet_memory_bytes: gauge('Memory: `capacity` for executions, `allocated` to them.', 'kind'),
  limpet_link_up: gauge('Whether the requester has accepted this node.'),
  limpet_link_state: gauge('1 for the state of the link to the requester.', 'state'),
  limpet_outbox_rows: gauge('Reports that wait for the requester.'),
  limpet_outbox_bytes: gauge('About how large they are; with outboxBytes no new work is taken.'),
  limpet_streams_open: gauge('Streams of logs and results that are read now.'),
  limpet_disk_free_bytes: gauge('Free on the disk of dataDir.'),
  limpet_disk_size_bytes: gauge('Size of the disk of dataDir.'),
  limpet_store_writable: gauge('Whether the last write to the store succeeded.'),
  limpet_store_quarantined_records: gauge('Records not readable.'),
  limpet_store_write_seconds: {
    type: 'histogram',
    help: 'Until a write was durable, from the first scrape on.',
    labels: [],
  },
} as const satisfies Readonly<Record<string, MetricSpec>>;

export type AgentMetricName = keyof typeof AGENT_METRICS;
export type AgentMetrics = Metrics<AgentMetricName>;

export function agentMetrics(): AgentMetrics {
  return new Metrics(AGENT_METRICS);
}

function gauge(help: string, ...labels: readonly string[]): MetricSpec {
  return { type: 'gauge', help, labels };
}

function counter(help: string, ...labels: readonly string[]): MetricSpec {
  return { type: 'counter', help, labels };
}
