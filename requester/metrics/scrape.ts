/** The gauges of a scrape, out of the world, and a look at the disk. */
import { statfs } from 'node:fs/promises';
import type { Readings, Sample } from '../../adapters/metrics/metrics.ts';
import { EXECUTION_STATES } from '../../core/execution/states.ts';
import { isTerminalJobState, JOB_STATES } from '../../core/job.ts';
import { VERSION } from '../../wire/version.ts';
import type { Changes } from '../state/draft.ts';
import type { WorldView } from '../state/world.ts';
import type { RequesterMetricName, RequesterMetrics } from './list.ts';

export interface MetricSources {
  readonly metrics: RequesterMetrics;
  readonly world: WorldView;
  readonly now: number;
  readonly problems: readonly string[];
  readonly connected: boolean;
  /** Open now. */
  readonly streams: number;
  readonly storeFailing: boolean;
  readonly folder: string;
}

/** Prometheus' text form. */
export async function scrape(sources: MetricSources): Promise<string> {
  const { metrics, world, problems, connected, storeFailing, folder } = sources;
  return metrics.text({
    limpet_requester_info: [{ labels: { version: VERSION }, value: 1 }],
    limpet_requester_degraded: one(problems.length),
    ...ofJobs(world, sources.now),
    limpet_executions: EXECUTION_STATES.map((state) => ({
      labels: { state },
      value: count(world.executions(), (execution) => execution.state === state),
    })),
    ...ofNodes(world),
    limpet_streams_open: one(sources.streams),
    limpet_nats_up: one(connected ? 1 : 0),
    limpet_store_writable: one(storeFailing ? 0 : 1),
    ...(await ofDisk(folder)),
  });
}

/** A placement is an execution that is written for the first time. */
export function countPlacements(metrics: RequesterMetrics, { executions }: Changes): void {
  const placed = count(
    executions,
    ({ revision, placedAt, modifiedAt }) => revision === 0 && placedAt === modifiedAt,
  );
  if (placed > 0) metrics.count('limpet_placements_total', {}, placed);
}

function ofJobs(world: WorldView, now: number): Readings<RequesterMetricName> {
  const queued = [...world.jobs()].filter(({ state }) => state === 'Queued');
  const oldest = Math.min(now, ...queued.map(({ createdAt }) => createdAt));
  return {
    limpet_jobs: JOB_STATES.filter((state) => !isTerminalJobState(state)).map((state) => ({
      labels: { state },
      value: count(world.jobs(), (job) => job.state === state),
    })),
    limpet_queue_jobs: one(queued.length),
    limpet_queue_oldest_seconds: one((now - oldest) / 1000),
  };
}

const MEMBERSHIPS = ['approved', 'pending', 'rejected'] as const;
const CONNECTIONS = ['connected', 'unknown', 'unhealthy'] as const;

function ofNodes(world: WorldView): Readings<RequesterMetricName> {
  return {
    limpet_nodes: MEMBERSHIPS.flatMap((membership) =>
      CONNECTIONS.map((connection) => ({
        labels: { membership, connection },
        value: count(
          world.nodes(),
          (node) => node.membership.state === membership && node.connection.state === connection,
        ),
      })),
    ),
    limpet_nodes_eligible: one(
      count(
        world.nodes(),
        ({ membership, connection, scheduling }) =>
          membership.state === 'approved' &&
          connection.state === 'connected' &&
          scheduling.state === 'eligible',
      ),
    ),
  };
}

async function ofDisk(folder: string): Promise<Readings<RequesterMetricName>> {
  const disk = await statfs(folder).catch(() => undefined);
  if (disk === undefined) return {};
  return {
    limpet_disk_free_bytes: one(disk.bavail * disk.bsize),
    limpet_disk_size_bytes: one(disk.blocks * disk.bsize),
  };
}

function count<T>(items: Iterable<T>, is: (item: T) => boolean): number {
  let found = 0;
  for (const item of items) if (is(item)) found += 1;
  return found;
}

function one(value: number): readonly Sample[] {
  return [{ value }];
}
