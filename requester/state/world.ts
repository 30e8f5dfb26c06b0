/**
 * What the requester knows now: all nodes, and the jobs that are alive with all their executions. Ended jobs are read from
 * the store. Only the coordinator changes it, and only after the store has committed the same change.
 */
import type { ExecutionId, JobId, NodeId } from '../../core/ids.ts';
import { isTerminalJobState } from '../../core/job.ts';
import { isTerminal } from '../../core/execution/states.ts';
import type { ExecutionRecord, JobRecord, NodeRecord } from './records.ts';
import { Roster, type RosterView } from './roster.ts';

export interface WorldView {
  job(id: JobId): JobRecord | undefined;
  node(id: NodeId): NodeRecord | undefined;
  execution(id: ExecutionId): ExecutionRecord | undefined;
  jobs(): Iterable<JobRecord>;
  nodes(): Iterable<NodeRecord>;
  executions(): Iterable<ExecutionRecord>;
  readonly roster: RosterView;
}

export class World implements WorldView {
  readonly #jobs = new Map<JobId, JobRecord>();
  readonly #nodes = new Map<NodeId, NodeRecord>();
  readonly #executions = new Map<ExecutionId, ExecutionRecord>();
  readonly roster = new Roster();

  job(id: JobId): JobRecord | undefined {
    return this.#jobs.get(id);
  }

  node(id: NodeId): NodeRecord | undefined {
    return this.#nodes.get(id);
  }

  execution(id: ExecutionId): ExecutionRecord | undefined {
    return this.#executions.get(id);
  }

  jobs(): Iterable<JobRecord> {
    return this.#jobs.values();
  }

  nodes(): Iterable<NodeRecord> {
    return this.#nodes.values();
  }

  executions(): Iterable<ExecutionRecord> {
    return this.#executions.values();
  }

  put(changes: {
    readonly jobs: Iterable<JobRecord>;
    readonly nodes: Iterable<NodeRecord>;
    readonly executions: Iterable<ExecutionRecord>;
    readonly droppedNodes?: Iterable<NodeId>;
    readonly roster?: Roster;
  }): void {
    for (const job of changes.jobs) this.#jobs.set(job.id, job);
    for (const node of changes.nodes) this.#nodes.set(node.id, node);
    for (const id of changes.droppedNodes ?? []) this.#nodes.delete(id);
    if (changes.roster !== undefined) this.roster.take(changes.roster);
    for (const execution of changes.executions)
      if (this.#jobs.has(execution.jobId)) this.#executions.set(execution.id, execution);
  }

  /** Drops an ended job and its executions from memory; they stay in the store. */
  evict(id: JobId): void {
    this.#jobs.delete(id);
    for (const execution of this.#executions.values())
      if (execution.jobId === id) this.#executions.delete(execution.id);
  }
}

/** Nothing of this job can change any more. */
export function isSettled(job: JobRecord, executions: Iterable<ExecutionRecord>): boolean {
  if (!isTerminalJobState(job.state)) return false;
  for (const execution of executions)
    if (execution.jobId === job.id && !isTerminal(execution.state)) return false;
  return true;
}
