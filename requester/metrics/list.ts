/** What the requester shows to Prometheus; docs/reference/metrics.md is made of this. No label is an id. */
import { Metrics, type MetricSpec } from '../../adapters/metrics/metrics.ts';

export const REQUESTER_METRICS = {
  limpet_requester_info: gauge('1, with the version of the requester.', 'version'),
  limpet_requester_degraded: gauge('How many things are not as they should be; see /status.'),
  limpet_jobs: gauge('Jobs that have not ended, with their executions, by state.', 'state'),
  limpet_queue_jobs: gauge('Jobs that found no place yet (state Queued).'),
  limpet_queue_oldest_seconds: gauge('Age of the oldest of them; 0 when there is none.'),
  limpet_executions: gauge(
    'Executions of jobs that have not ended, by the state last reported.',
    'state',
  ),
  limpet_placements_total: counter('Executions placed while this process ran.'),
  limpet_nodes: gauge('Nodes, by membership and by connection.', ...['membership', 'connection']),
  limpet_nodes_eligible: gauge('Approved and connected nodes that get new work.'),
  limpet_streams_open: gauge('Streams of logs and results that are read from nodes now.'),
  limpet_nats_up: gauge('Whether the broker is connected.'),
  limpet_api_requests_total: counter(
    'Requests by route and status; `unknown` for paths that there are not.',
    ...['method', 'route', 'status'],
  ),
  limpet_store_writable: gauge('Whether the last write to the store succeeded.'),
  limpet_store_write_seconds: {
    type: 'histogram',
    help: 'Until a write was durable, from the first scrape on.',
    labels: [],
  },
  limpet_disk_free_bytes: gauge('Free on the disk of the data folder.'),
  limpet_disk_size_bytes: gauge('Size of the disk of the data folder.'),
} as const satisfies Readonly<Record<string, MetricSpec>>;

export type RequesterMetricName = keyof typeof REQUESTER_METRICS;
export type RequesterMetrics = Metrics<RequesterMetricName>;

export function requesterMetrics(): RequesterMetrics {
  return new Metrics(REQUESTER_METRICS);
}

function gauge(help: string, ...labels: readonly string[]): MetricSpec {
  return { type: 'gauge', help, labels };
}

function counter(help: string, ...labels: readonly string[]): MetricSpec {
  return { type: 'counter', help, labels };
}
