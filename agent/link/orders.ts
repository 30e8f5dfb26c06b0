/**
 * Applies what the owner sends. A placement is written in the same batch as the cursor; a stop goes through the mailbox
 * of its execution and is durable before the cursor moves; both may come twice.
 */
import { LimpetError } from '../../core/errors.ts';
import { parseExecutionId, type ExecutionId, type NodeId } from '../../core/ids.ts';
import type { Effect } from '../../core/execution/events.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import type { Applied } from '../../adapters/link/inbox.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { Faults } from '../../adapters/faults/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { StoreOp } from '../../adapters/store/port.ts';
import {
  requesterRowSchema,
  type ExecutionReport,
  type Push,
  type RequesterRow,
} from '../../wire/messages.ts';
import { parsePlacement } from '../../wire/placement.ts';
import type { ExecutionEngine, PlacedHow, Placing } from '../executions/engine.ts';
import type { ForeignWork } from '../executions/foreign.ts';
import type { LiveExecution } from '../executions/live.ts';
import { declinedUnread, Unreadable } from './unreadable.ts';

export interface OrdersDeps {
  readonly nodeId: NodeId;
  readonly engine: ExecutionEngine;
  readonly faults: Faults;
  readonly log: Logger;
  /** Too many reports wait for the owner: its rows are left with it. Stops come with heartbeats too. */
  full(): boolean;
  readonly admits: PlacedHow['admits'];
  readonly known: PlacedHow['known'];
  begin(live: LiveExecution, effects: readonly Effect[]): void;
  readonly clock: Clock;
  /** Rows for the owner, and a wake-up once they are durable. */
  readonly reports: {
    rows(report: ExecutionReport): readonly StoreOp[];
    unwritten(ops: readonly StoreOp[]): void;
    wake(): void;
  };
  readonly foreign: Pick<ForeignWork, 'claim' | 'ownerStop' | 'operator'>;
}

export class Orders {
  readonly unreadable = new Unreadable();
  readonly #deps: OrdersDeps;

  constructor(deps: OrdersDeps) {
    this.#deps = deps;
  }

  async apply(rows: Push['rows']): Promise<Applied> {
    if (this.#deps.full())
      throw new LimpetError('unavailable', 'no more is taken while the outbox is above its bound');
    const placed = new Map<string, ExecutionRecord>();
    const declined: ExecutionReport[] = [];
    for (const { seq, body } of rows) {
      try {
        await this.#one(body, placed);
      } catch (thrown) {
        const error = LimpetError.from(thrown);
        if (error.code.startsWith('store')) throw error;
        declined.push(...this.#refuse(seq, body, error));
      }
    }
    let placing: readonly Placing[] = [];
    this.#deps.faults.reach('agent.placement.before-commit');
    return {
      ops: () => {
        placing = this.#deps.engine.place([...placed.values()], this.#deps);
        const refused = declined.flatMap((report) => this.#deps.reports.rows(report));
        return [...placing.flatMap(({ ops }) => ops), ...refused];
      },
      unwritten: (ops) => this.#deps.reports.unwritten(ops),
      committed: () => {
        this.#deps.faults.reach('agent.placement.after-commit');
        for (const one of placing)
          this.#deps.begin(this.#deps.engine.insertPlaced(one), one.effects);
        if (declined.length > 0) this.#deps.reports.wake();
      },
    };
  }

  /** Its owner's word. What is foreign here is stopped only on proof that it comes from who placed it. */
  async stop(id: ExecutionId, reason: string): Promise<void> {
    const { engine, foreign } = this.#deps;
    if (!(await foreign.ownerStop(id, reason)))
      await engine.dispatch(id, { type: 'stop', by: 'stop', reason });
  }

  /** It must not hold up the others for ever. What is here already is not declined, whatever is sent of it. */
  #refuse(seq: number, body: unknown, error: LimpetError): ExecutionReport[] {
    const { log, engine, clock } = this.#deps;
    const report = declinedUnread(body, error, clock.now());
    const known = report !== undefined && engine.get(parseExecutionId(report.executionId));
    log.error('link.row-refused', { seq, execution: report?.executionId, reason: error.message });
    if (report !== undefined && known === undefined) return [report];
    // What is over meanwhile, or not to be had, was read.
    if (error.code === 'invalid-argument' || error.code === 'invalid-id')
      this.unreadable.note(seq, error.message);
    return [];
  }

  async #one(body: unknown, placed: Map<string, ExecutionRecord>): Promise<void> {
    const row = rowOf(body);
    if (row.type === 'stop') return this.#stop(row.executionId, row.reason, placed);
    if (row.type === 'foreign')
      return this.#deps.foreign.operator(parseExecutionId(row.executionId), row.word);
    const placement = parsePlacement(row.placement);
    if (placement.nodeId !== this.#deps.nodeId)
      throw new LimpetError(
        'invalid-argument',
        `placement ${placement.executionId} is for node ${placement.nodeId}`,
      );
    if (placed.has(placement.executionId)) return;
    if (await this.#deps.foreign.claim(placement)) return;
    const record = await this.#deps.engine.newPlacement(placement);
    if (record !== undefined) placed.set(placement.executionId, record);
  }

  async #stop(
    executionId: string,
    reason: string,
    placed: Map<string, ExecutionRecord>,
  ): Promise<void> {
    const fresh = placed.get(executionId);
    if (fresh === undefined) return this.stop(parseExecutionId(executionId), reason);
    // Placed and stopped in one push: it is written with its stop, and ends as soon as it is looked at.
    placed.set(executionId, { ...fresh, stop: { by: 'stop', reason } });
  }
}

function rowOf(body: unknown): RequesterRow {
  const read = requesterRowSchema.safeParse(body);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new LimpetError('invalid-argument', `row: ${issue?.path.join('.')}: ${issue?.message}`);
}
