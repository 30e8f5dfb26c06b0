/** The gauges of a scrape, out of the status of the agent and a look at the disk. */
import { statfs } from 'node:fs/promises';
import type { Readings, Sample } from '../../adapters/metrics/metrics.ts';
import type { Store } from '../../adapters/store/port.ts';
import { EXECUTION_STATES } from '../../core/execution/states.ts';
import type { AgentStatus } from '../api/status.ts';
import { LINK_STATES } from '../link/condition.ts';
import type { AgentMetricName, AgentMetrics } from './metrics.ts';

export interface MetricSources {
  readonly metrics: AgentMetrics;
  readonly status: () => AgentStatus;
  readonly store: Pick<Store, 'failing'>;
  readonly outbox: { readonly waitingRows: number };
  readonly dataDir: string;
}

/** Prometheus' text form. */
export async function scrape(sources: MetricSources): Promise<string> {
  const { metrics, status, store, outbox, dataDir } = sources;
  return metrics.text({
    ...ofStatus(status()),
    ...(await ofDisk(dataDir)),
    limpet_store_writable: flag(store.failing === undefined),
    limpet_outbox_rows: one(outbox.waitingRows),
  });
}

async function ofDisk(dataDir: string): Promise<Readings<AgentMetricName>> {
  const disk = await statfs(dataDir).catch(() => undefined);
  if (disk === undefined) return {};
  return {
    limpet_disk_free_bytes: one(disk.bavail * disk.bsize),
    limpet_disk_size_bytes: one(disk.blocks * disk.bsize),
  };
}

export function ofStatus(status: AgentStatus): Readings<AgentMetricName> {
  const { link, readyMs, capacity, allocated } = status;
  return {
    limpet_agent_info: [{ labels: { version: status.version }, value: 1 }],
    limpet_agent_ready_seconds: one(readyMs === undefined ? -1 : readyMs / 1000),
    limpet_agent_degraded: one(status.degraded.length),
    limpet_agent_drained: flag(status.drainedSince !== undefined),
    limpet_executions: executions(status),
    limpet_foreign_runs: one(status.foreign.length),
    ...executors(status.executors),
    limpet_cpu_cores: [
      { labels: { kind: 'capacity' }, value: capacity.cpuMillis / 1000 },
      { labels: { kind: 'allocated' }, value: allocated.cpuMillis / 1000 },
    ],
    limpet_memory_bytes: [
      { labels: { kind: 'capacity' }, value: capacity.memoryBytes },
      { labels: { kind: 'allocated' }, value: allocated.memoryBytes },
    ],
    limpet_link_up: flag(link.state === 'linked'),
    limpet_link_state: LINK_STATES.map((state) => ({
      labels: { state },
      value: link.state === state ? 1 : 0,
    })),
    limpet_outbox_bytes: one(link.waitingBytes),
    limpet_streams_open: one(status.streams),
    limpet_store_quarantined_records: one(status.quarantined.length),
  };
}

/** Every executor with every state. A record may name an executor that this node has no longer. */
function executions(status: AgentStatus): Sample[] {
  const known = status.executors.map(({ name }) => name);
  const rows = status.executions.map(({ state, executor }) => ({
    state,
    executor: known.includes(executor) ? executor : 'other',
  }));
  return [...known, 'other'].flatMap((executor) =>
    EXECUTION_STATES.map((state) => ({
      labels: { state, executor },
      value: rows.filter((row) => row.state === state && row.executor === executor).length,
    })),
  );
}

function executors(all: AgentStatus['executors']): Readings<AgentMetricName> {
  const each = (value: (executor: AgentStatus['executors'][number]) => number): Sample[] =>
    all.map((executor) => ({ labels: { executor: executor.name }, value: value(executor) }));
  return {
    limpet_executor_healthy: each(({ health }) => (health === 'healthy' ? 1 : 0)),
    limpet_executor_reattached: each(({ reattached }) => (reattached === true ? 1 : 0)),
    limpet_executor_restarts: each(({ restarts }) => restarts),
    limpet_executor_recovery_seconds: each(({ recoveryMs }) => recoveryMs / 1000),
  };
}

function one(value: number): readonly Sample[] {
  return [{ value }];
}

function flag(is: boolean): readonly Sample[] {
  return one(is ? 1 : 0);
}
