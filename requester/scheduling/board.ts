/** Nodes with their free resources while a plan is made: who may take a partition, who is best, and if none, why. */
import {
  addResources,
  firstShortage,
  subtractResources,
  type Resources,
} from '../../core/resources.ts';
import { matchConstraints } from '../../core/labels.ts';
import type { NodeId } from '../../core/ids.ts';
import type { SpecConfig } from '../../core/job.ts';
import type { ExecutorInfo } from '../../wire/messages.ts';
import type { ExecutionRecord, JobRecord, NodeRecord } from '../state/records.ts';
import { isActive, type Partition } from './partitions.ts';

export interface PlanNode {
  readonly record: NodeRecord;
  /** Taken on the node by work that is not ours. */
  readonly foreign: Resources;
  /** What one of its executors has against the params of a task; nothing is known when missing. */
  readonly refusal?: (executor: ExecutorInfo, engine: SpecConfig) => string | undefined;
}

export type Choice =
  | { readonly type: 'node'; readonly node: PlanNode; readonly reason: string }
  | { readonly type: 'none'; readonly reason: string; readonly retryAt?: number };

interface Seat {
  readonly node: PlanNode;
  free: Resources;
  /** Live executions of each job here. */
  readonly load: Map<string, number>;
}

/** Reasons of at most this many nodes are told. */
const MOST_REASONS = 3;

export class Board {
  readonly #seats = new Map<NodeId, Seat>();

  constructor(nodes: readonly PlanNode[], executions: readonly ExecutionRecord[]) {
    for (const node of nodes) {
      const free = subtractResources(node.record.info.capacity, node.foreign);
      this.#seats.set(node.record.id, { node, free, load: new Map() });
    }
    for (const execution of executions)
      if (isActive(execution)) this.#hold(execution.nodeId, execution.jobId, execution.wanted);
  }

  take(job: JobRecord, node: PlanNode): void {
    this.#hold(node.record.id, job.id, job.wanted);
  }

  /** The tightest fit wins; among equals the node with fewer of this job's, then the lower id. */
  choose(job: JobRecord, partition: Partition, now: number): Choice {
    if (this.#seats.size === 0) return { type: 'none', reason: 'no node has registered yet' };
    const fitting: Seat[] = [];
    const reasons: string[] = [];
    let retryAt: number | undefined;
    const { nodeId } = partition;
    for (const seat of this.#seats.values()) {
      if (nodeId !== undefined && nodeId !== seat.node.record.id) continue;
      const against = reasonAgainst(job, seat);
      const refusal = partition.refused.get(seat.node.record.id);
      const refused = refusal !== undefined && refusal.until > now;
      if (against === undefined && !refused) fitting.push(seat);
      else reasons.push(`${seat.node.record.id} ${refused ? refusal.reason : (against ?? '')}`);
      if (refused) retryAt = Math.min(retryAt ?? Infinity, refusal.until);
    }
    const best = fitting.sort((a, b) => rank(job, a) - rank(job, b) || order(a, b))[0];
    if (best !== undefined) {
      const reason = `best of ${fitting.length} fitting out of ${this.#seats.size}`;
      return { type: 'node', node: best.node, reason };
    }
    return {
      type: 'none',
      reason: noneText(reasons),
      ...(retryAt === undefined ? {} : { retryAt }),
    };
  }

  /** Nodes that can run it, by what they are: whether they have room at this moment does not matter. */
  matching(job: JobRecord): { readonly nodes: readonly NodeId[]; readonly reason: string } {
    if (this.#seats.size === 0) return { nodes: [], reason: 'no node has registered yet' };
    const judged = [...this.#seats.values()].map(({ node }) => ({
      id: node.record.id,
      against: reasonToPass(job, node),
    }));
    return {
      nodes: judged.filter(({ against }) => against === undefined).map(({ id }) => id),
      reason: noneText(
        judged.flatMap(({ id, against }) => (against === undefined ? [] : [`${id} ${against}`])),
      ),
    };
  }

  #hold(id: NodeId, jobId: string, wanted: Resources): void {
    const seat = this.#seats.get(id);
    if (seat === undefined) return;
    seat.free = subtractResources(seat.free, wanted);
    seat.load.set(jobId, (seat.load.get(jobId) ?? 0) + 1);
  }
}

/** Why this node cannot take a partition of the job now; undefined when it can. */
function reasonAgainst(job: JobRecord, { node, free }: Seat): string | undefined {
  const pass = reasonToPass(job, node);
  if (pass !== undefined) return pass;
  const task = job.spec.Tasks[0];
  const executor = node.record.info.executors.find(({ name }) => name === task.Engine.Type);
  if (executor !== undefined && executor.health !== 'healthy')
    return `executor ${executor.name} is ${executor.health}: ${executor.reason}`;
  if (executor !== undefined && executor.recovery !== 'complete')
    return `executor ${executor.name} is still recovering`;
  const shortage = firstShortage(job.wanted, free);
  return shortage === undefined ? undefined : `is full: ${shortage}`;
}

/** Why this node is none for the job, room and the health of its executor aside. */
function reasonToPass(job: JobRecord, node: PlanNode): string | undefined {
  const { membership, connection, scheduling, info } = node.record;
  if (membership.state !== 'approved') return `is ${membership.state}`;
  if (connection.state !== 'connected') return `is ${connection.state}: ${connection.reason}`;
  if (scheduling.state !== 'eligible') return `is ${scheduling.state}: ${scheduling.reason}`;
  const task = job.spec.Tasks[0];
  const executor = info.executors.find(({ name }) => name === task.Engine.Type);
  if (executor === undefined) return `has no executor ${task.Engine.Type}`;
  const refusal = node.refusal?.(executor, task.Engine);
  if (refusal !== undefined) return `params refused by its executor: ${refusal}`;
  const match = matchConstraints(info.labels, job.spec.Constraints);
  if (!match.ok) return match.reason;
  const source = task.InputSources?.find(({ Source }) => !info.sources.includes(Source.Type));
  if (source !== undefined) return `has no input source ${source.Source.Type}`;
  if (task.Publisher !== undefined && !info.publishers.includes(task.Publisher.Type))
    return `has no publisher ${task.Publisher.Type}`;
  const never = firstShortage(job.wanted, info.capacity);
  return never === undefined ? undefined : `is too small for it: ${never}`;
}

/** What would be left of the scarcest resource, as a share of the node; smaller is tighter. */
function rank(job: JobRecord, { node, free, load }: Seat): number {
  const { capacity } = node.record.info;
  const left = subtractResources(free, job.wanted);
  const shares = [
    share(left.cpuMillis, capacity.cpuMillis),
    share(left.memoryBytes, capacity.memoryBytes),
  ];
  return Math.min(...shares) + (load.get(job.id) ?? 0);
}

function share(left: number, whole: number): number {
  return whole === 0 ? 0 : left / whole;
}

function order(a: Seat, b: Seat): number {
  return a.node.record.id < b.node.record.id ? -1 : 1;
}

function noneText(reasons: readonly string[]): string {
  const shown = reasons.slice(0, MOST_REASONS).join('; ');
  const more = reasons.length > MOST_REASONS ? `; and ${reasons.length - MOST_REASONS} more` : '';
  return `no node fits: ${shown}${more}`;
}

/** The sum of what these executions take. */
export function heldBy(executions: Iterable<ExecutionRecord>): Resources {
  let held: Resources = { cpuMillis: 0, memoryBytes: 0, diskBytes: 0, gpus: 0 };
  for (const execution of executions) held = addResources(held, execution.wanted);
  return held;
}
