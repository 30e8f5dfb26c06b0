/**
 * One turn's changes before they are committed: records, history, and rows for nodes, read back at once by later steps of
 * the same turn. Nothing outside sees them until the store has them all, in one batch.
 */
import type { StoreOp } from '../../adapters/store/port.ts';
import { LimpetError } from '../../core/errors.ts';
import type { ExecutionId, JobId, NodeId } from '../../core/ids.ts';
import type { RequesterRow } from '../../wire/messages.ts';
import { executionKey, historyKey, jobKey, nodeKey } from './keys.ts';
import type { ExecutionRecord, HistoryItem, JobRecord, NodeRecord } from './records.ts';
import { Roster } from './roster.ts';
import type { WorldView } from './world.ts';

/** Numbers the rows of one node's outgoing log; the operations are committed with the rest of the turn. */
export type AppendRows = (node: NodeId, rows: readonly RequesterRow[]) => StoreOp[];

export type NewHistoryItem = Pick<HistoryItem, 'topic' | 'message'> &
  Partial<Pick<HistoryItem, 'executionId' | 'details' | 'at'>>;

export class Draft implements WorldView {
  readonly now: number;
  readonly roster: Roster;
  readonly #base: WorldView;
  readonly #append: AppendRows;
  readonly #jobs = new Map<JobId, JobRecord>();
  readonly #nodes = new Map<NodeId, NodeRecord>();
  readonly #droppedNodes = new Set<NodeId>();
  readonly #executions = new Map<ExecutionId, ExecutionRecord>();
  readonly #ops: StoreOp[] = [];
  readonly #rows: { readonly node: NodeId; readonly row: RequesterRow }[] = [];

  constructor(base: WorldView, append: AppendRows, now: number) {
    this.#base = base;
    this.#append = append;
    this.now = now;
    this.roster = new Roster(base.roster);
  }

  job(id: JobId): JobRecord | undefined {
    return this.#jobs.get(id) ?? this.#base.job(id);
  }

  node(id: NodeId): NodeRecord | undefined {
    return this.#droppedNodes.has(id) ? undefined : (this.#nodes.get(id) ?? this.#base.node(id));
  }

  execution(id: ExecutionId): ExecutionRecord | undefined {
    return this.#executions.get(id) ?? this.#base.execution(id);
  }

  jobs(): Iterable<JobRecord> {
    return overlaid(this.#base.jobs(), this.#jobs);
  }

  nodes(): Iterable<NodeRecord> {
    const nodes = overlaid(this.#base.nodes(), this.#nodes);
    return this.#droppedNodes.size === 0 ? nodes : without(nodes, this.#droppedNodes);
  }

  executions(): Iterable<ExecutionRecord> {
    return overlaid(this.#base.executions(), this.#executions);
  }

  putJob(record: JobRecord): void {
    this.#jobs.set(record.id, record);
  }

  putNode(record: NodeRecord): void {
    this.#nodes.set(record.id, record);
    this.#droppedNodes.delete(record.id);
  }

  dropNode(id: NodeId): void {
    this.#nodes.delete(id);
    this.#droppedNodes.add(id);
  }

  putExecution(record: ExecutionRecord): void {
    this.#executions.set(record.id, record);
  }

  op(op: StoreOp): void {
    this.#ops.push(op);
  }

  /** Adds the next history item of a job that is in this draft or in the world. */
  history(jobId: JobId, item: NewHistoryItem): void {
    const job = this.job(jobId);
    if (job === undefined)
      throw new LimpetError('internal', `history of job ${jobId}, which is not at hand`);
    const seq = job.historySeq + 1;
    const { topic, message, executionId, details = {}, at = this.now } = item;
    const stored: HistoryItem = {
      v: 1,
      seq,
      jobVersion: job.version,
      ...(executionId === undefined ? {} : { executionId }),
      topic,
      message,
      details,
      at,
      recordedAt: this.now,
    };
    this.#ops.push({ type: 'put', key: historyKey(jobId, seq), value: stored });
    this.putJob({ ...job, historySeq: seq });
  }

  /** A row for the node's outgoing log. */
  send(node: NodeId, row: RequesterRow): void {
    this.#rows.push({ node, row });
  }

  /** A draft on top of this one; it counts only when it is merged. */
  fork(): Draft {
    return new Draft(this, this.#append, this.now);
  }

  merge(fork: Draft): void {
    for (const job of fork.#jobs.values()) this.#jobs.set(job.id, job);
    for (const node of fork.#nodes.values()) this.putNode(node);
    for (const id of fork.#droppedNodes) this.dropNode(id);
    this.roster.take(fork.roster);
    for (const execution of fork.#executions.values())
      this.#executions.set(execution.id, execution);
    this.#ops.push(...fork.#ops);
    this.#rows.push(...fork.#rows);
  }

  get changed(): Changes {
    return {
      jobs: [...this.#jobs.values()],
      nodes: [...this.#nodes.values()],
      droppedNodes: [...this.#droppedNodes],
      roster: this.roster,
      executions: [...this.#executions.values()],
      rowsFor: new Set(this.#rows.map(({ node }) => node)),
    };
  }

  /** Everything as operations; called once, when the turn is complete, since it numbers the rows. */
  seal(): StoreOp[] {
    return [
      ...[...this.#jobs.values()].map((value): StoreOp => ({
        type: 'put',
        key: jobKey(value.id),
        value,
      })),
      ...[...this.#nodes.values()].map((value): StoreOp => ({
        type: 'put',
        key: nodeKey(value.id),
        value,
      })),
      ...[...this.#executions.values()].map((value): StoreOp => ({
        type: 'put',
        key: executionKey(value.id),
        value,
      })),
      ...[...this.#droppedNodes].map((id): StoreOp => ({ type: 'del', key: nodeKey(id) })),
      ...this.roster.ops(),
      ...this.#ops,
      ...this.#rows.flatMap(({ node, row }) => this.#append(node, [row])),
    ];
  }
}

export interface Changes {
  readonly jobs: readonly JobRecord[];
  readonly nodes: readonly NodeRecord[];
  readonly droppedNodes: readonly NodeId[];
  readonly roster: Roster;
  readonly executions: readonly ExecutionRecord[];
  /** Nodes whose outgoing log has grown. */
  readonly rowsFor: ReadonlySet<NodeId>;
}

function* without(nodes: Iterable<NodeRecord>, ids: ReadonlySet<NodeId>): Iterable<NodeRecord> {
  for (const node of nodes) if (!ids.has(node.id)) yield node;
}

function* overlaid<T extends { readonly id: string }>(
  base: Iterable<T>,
  own: ReadonlyMap<string, T>,
): Iterable<T> {
  for (const record of base) if (!own.has(record.id)) yield record;
  yield* own.values();
}
