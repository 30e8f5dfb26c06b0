/**
 * The scheduler: one pure function from what is known to what should change. It is level triggered: whoever applies the
 * plan and asks again with the same time gets an empty one, so a lost event heals with the next call.
 *
 *   partition:  open -> active (one execution) -> done | failed      declined and cancelled ones make it open again
 *   job:        Pending (placed, not yet taken) | Queued (nowhere to go, with the reason) | Running
 *               -> Completed (all done) | Failed (one failed, or a timeout) | Stopped (asked for)
 *
 * batch and service have Count partitions. ops and daemon have one for each matching node: ops those that match when the
 * first does, daemon those that match later too. service and daemon are never done.
 */
import type { Backoff } from '../../core/backoff.ts';
import { nextAttempt } from '../../core/fencing.ts';
import type { JobId, NodeId } from '../../core/ids.ts';
import { isTerminalJobState, perNode } from '../../core/job.ts';
import type { ExecutionRecord, JobRecord } from '../state/records.ts';
import { Board, type PlanNode } from './board.ts';
import { doublesOf, type Stop } from './doubles.ts';
import type { Awaited, Inheritance } from './inheritance.ts';
import { failureOf, judgeJob, type JobChange } from './job-state.ts';
import { isActive, partitionsOf, type Partition } from './partitions.ts';
import { expiry } from './timeouts.ts';

export interface PlanInput {
  readonly jobs: readonly JobRecord[];
  readonly nodes: readonly PlanNode[];
  /** All executions of these jobs, and all others that hold resources. */
  readonly executions: readonly ExecutionRecord[];
  readonly now: number;
  /** A node that declined or cancelled a partition is not asked again for this long; doubles with each time. */
  readonly declineBackoff: Backoff;
  readonly inheritance: Inheritance;
}

export interface PlannedPlacement {
  readonly job: JobRecord;
  readonly partition: number;
  readonly attempt: number;
  readonly node: PlanNode;
  readonly deadlineAt?: number;
  /** Why this node. */
  readonly reason: string;
}

export interface Plan {
  readonly placements: readonly PlannedPlacement[];
  readonly stops: readonly Stop[];
  readonly jobs: readonly JobChange[];
  /** All nodes that an ops or daemon job runs on from now on. */
  readonly targets: readonly { readonly job: JobRecord; readonly nodes: readonly NodeId[] }[];
  /** Time alone changes the plan at this moment; absent when it never does. */
  readonly wakeAt?: number;
}

/** First all placements, then the states: the reason why work waits is told of the board as it is in the end. */
export function plan(input: PlanInput): Plan {
  const board = new Board(input.nodes, input.executions);
  const byJob = groupByJob(input.executions);
  const placed = [...input.jobs]
    .sort(byUrgency)
    .map((job) => placeJob(job, byJob.get(job.id) ?? [], { board, input }));
  const judged = placed.map((part) => ('waiting' in part ? judge(part, board, input.now) : part));
  const wakes = judged.flatMap((part) => (part.wakeAt === undefined ? [] : [part.wakeAt]));
  return {
    placements: judged.flatMap((part) => part.placements),
    stops: judged.flatMap((part) => part.stops),
    jobs: judged.flatMap((part) => part.jobs),
    targets: judged.flatMap((part) => part.targets),
    ...(wakes.length === 0 ? {} : { wakeAt: Math.min(...wakes) }),
  };
}

interface Placed {
  readonly job: JobRecord;
  readonly partitions: readonly Partition[];
  readonly placements: readonly PlannedPlacement[];
  readonly waiting: readonly Partition[];
  readonly targets: Plan['targets'];
  readonly expiresAt: number | undefined;
  readonly awaited: Awaited | undefined;
}

function placeJob(
  stored: JobRecord,
  all: readonly ExecutionRecord[],
  { board, input }: { readonly board: Board; readonly input: PlanInput },
): Placed | Plan {
  if (isTerminalJobState(stored.state)) return ending(stored, all, undefined);
  const { inheritance, now, declineBackoff } = input;
  const awaited = inheritance.awaited(stored);
  const job = awaited === undefined ? withTargets(stored, board) : stored;
  const partitions = partitionsOf(job, all, declineBackoff);
  const times = expiry(job, partitions, { now, mayQueue: awaited === undefined });
  const failure =
    (isOpenEnded(job, awaited) ? undefined : failureOf(job, partitions)) ?? times.expired;
  if (failure !== undefined) return ending(job, all, { job, state: 'Failed', message: failure });
  const open = partitions.filter((partition) => partition.state === 'open');
  return {
    job,
    partitions,
    targets: job === stored ? [] : [{ job, nodes: job.nodes ?? [] }],
    expiresAt: times.nextAt,
    awaited,
    ...(awaited === undefined
      ? placeOpen(job, open, { board, now, inherited: inheritance.inherits(job) })
      : { placements: [], waiting: open }),
  };
}

/** More of its nodes may be told of. */
function isOpenEnded({ spec }: JobRecord, awaited: Awaited | undefined): boolean {
  return awaited !== undefined && perNode(spec.Type);
}

/** The same job when its nodes stay as they are. */
function withTargets(job: JobRecord, board: Board): JobRecord {
  const { Type } = job.spec;
  const known = job.nodes ?? [];
  if (!perNode(Type) || (Type === 'ops' && known.length > 0)) return job;
  const added = board.matching(job).nodes.filter((id) => !known.includes(id));
  return added.length === 0 ? job : { ...job, nodes: [...known, ...added] };
}

interface PlaceContext {
  readonly board: Board;
  readonly now: number;
  readonly inherited: boolean;
}

function placeOpen(
  job: JobRecord,
  open: readonly Partition[],
  { board, now, inherited }: PlaceContext,
): Pick<Placed, 'placements' | 'waiting'> {
  const placements: PlannedPlacement[] = [];
  const waiting: Partition[] = [];
  let full = false;
  for (const partition of open) {
    const found = full ? undefined : board.choose(job, partition, now);
    if (found?.type === 'node') {
      board.take(job, found.node);
      const { node, reason } = found;
      placements.push(toPlacement(job, partition, { node, reason, now, inherited }));
    } else {
      // Where a partition of any node that nobody has refused does not fit, no other of this job does.
      full ||= partition.nodeId === undefined && partition.refused.size === 0;
      waiting.push(partition);
    }
  }
  return { placements, waiting };
}

function judge(
  { job, partitions, placements, waiting, targets, expiresAt, awaited }: Placed,
  board: Board,
  now: number,
): Plan {
  const last = waiting.at(-1);
  const found =
    last === undefined || awaited !== undefined ? undefined : board.choose(job, last, now);
  const nowhere = perNode(job.spec.Type) && partitions.length === 0;
  const reason = awaited?.reason ?? (nowhere ? board.matching(job).reason : (found?.reason ?? ''));
  const change = judgeJob(job, partitions, {
    placed: placements.length,
    waiting: waiting.length,
    reason,
  });
  const early = isOpenEnded(job, awaited) && isTerminalJobState(change?.state ?? 'Running');
  const retryAt = found?.type === 'none' ? found.retryAt : undefined;
  const wakes = [expiresAt, retryAt, awaited?.until].flatMap((at) =>
    at === undefined ? [] : [at],
  );
  return {
    placements,
    stops: doublesOf(partitions),
    jobs: change === undefined || early ? [] : [change],
    targets,
    ...(wakes.length === 0 ? {} : { wakeAt: Math.min(...wakes) }),
  };
}

/** ExecutionTimeout counts from the placement, so that no restart and no slow node can stretch it. */
function toPlacement(
  job: JobRecord,
  { index, attempts }: Partition,
  {
    node,
    reason,
    now,
    inherited,
  }: Omit<PlaceContext, 'board'> & Pick<PlannedPlacement, 'node' | 'reason'>,
): PlannedPlacement {
  const { ExecutionTimeout = 0, TotalTimeout = 0 } = job.spec.Tasks[0].Timeouts;
  const ends = [
    ...(ExecutionTimeout > 0 ? [now + ExecutionTimeout * 1000] : []),
    ...(TotalTimeout > 0 ? [job.createdAt + TotalTimeout * 1000] : []),
  ];
  return {
    job,
    partition: index,
    attempt: nextAttempt(attempts, inherited, now - job.createdAt),
    node,
    reason,
    ...(ends.length === 0 ? {} : { deadlineAt: Math.min(...ends) }),
  };
}

function ending(
  job: JobRecord,
  all: readonly ExecutionRecord[],
  change: JobChange | undefined,
): Plan {
  const state = change?.state ?? job.state;
  const reason = state === 'Stopped' ? 'the job was stopped' : `the job is ${state.toLowerCase()}`;
  const stops = all
    .filter((execution) => isActive(execution) && execution.desired === 'run')
    .map((execution) => ({ execution, reason }));
  return { placements: [], stops, jobs: change === undefined ? [] : [change], targets: [] };
}

function groupByJob(executions: readonly ExecutionRecord[]): Map<JobId, ExecutionRecord[]> {
  const groups = new Map<JobId, ExecutionRecord[]>();
  for (const execution of executions) {
    const group = groups.get(execution.jobId);
    if (group === undefined) groups.set(execution.jobId, [execution]);
    else group.push(execution);
  }
  return groups;
}

function byUrgency(a: JobRecord, b: JobRecord): number {
  return b.spec.Priority - a.spec.Priority || a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}
