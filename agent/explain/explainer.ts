/** Answers for a live agent: the plan of everything, and one execution with its history. */
import { LimpetError } from '../../core/errors.ts';
import { idMatches, parseExecutionId, type ExecutionId } from '../../core/ids.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { NodeExplanation, RecoveryPlan } from '../../wire/explain.ts';
import type { ExecutionEvent } from '../../wire/messages.ts';
import type { ExecutorClient, ExecutorHealth } from '../plugins/port.ts';
import type { Leases } from '../executions/lease.ts';
import { explain, type Moment, type Seen } from './explanation.ts';
import { recoveryPlan } from './plan.ts';

export interface ExplainerDeps {
  readonly nodeId: string;
  readonly clock: Clock;
  health(): readonly ExecutorHealth[];
  client(executor: string): ExecutorClient | undefined;
  readonly leases: Pick<Leases, 'isOver'>;
  /** In memory: of which something may be left. */
  live(): readonly ExecutionRecord[];
  record(id: ExecutionId): Promise<ExecutionRecord | undefined>;
  /** Ids of stored executions that a person may mean. */
  ids(): Promise<readonly string[]>;
  events(id: ExecutionId): Promise<readonly ExecutionEvent[]>;
}

export class Explainer {
  readonly #deps: ExplainerDeps;

  constructor(deps: ExplainerDeps) {
    this.#deps = deps;
  }

  plan(): Promise<RecoveryPlan> {
    const { nodeId, clock } = this.#deps;
    const executors = this.#deps.health().map(({ name, reason }) => {
      const client = this.#deps.client(name);
      return { name, client, reason: client === undefined ? `not ready: ${reason}` : '' };
    });
    const records = this.#deps.live();
    return recoveryPlan({
      nodeId,
      source: 'agent',
      ...this.#moment(clock.now()),
      records,
      executors,
    });
  }

  /** `text`: an id whole, or a unique beginning or end of one. Errors: `not-found`, `ambiguous-id`. */
  async execution(text: string): Promise<NodeExplanation> {
    const id = await this.#find(text);
    const record = await this.#deps.record(id);
    if (record === undefined) throw unknown(text);
    const executor = record.placement.task.Engine.Type;
    const seen = await this.#look(executor, record);
    const moment = this.#moment(this.#deps.clock.now());
    const explanation = explain({ executionId: id, executor, record }, seen, moment);
    return { explanation, events: [...(await this.#deps.events(id))] };
  }

  #moment(now: number): Moment {
    return { now, leaseOver: (record) => this.#deps.leases.isOver(record) };
  }

  async #find(text: string): Promise<ExecutionId> {
    const matches = (await this.#deps.ids()).filter((id) => idMatches(id, text));
    const [first, second] = matches.includes(text) ? [text] : matches;
    if (first === undefined) throw unknown(text);
    if (second !== undefined)
      throw new LimpetError('ambiguous-id', `several executions match '${text}'; type more of it`);
    return parseExecutionId(first);
  }

  async #look(executor: string, record: ExecutionRecord): Promise<Seen> {
    const client = this.#deps.client(executor);
    if (client === undefined)
      return { type: 'not-asked', reason: `executor ${executor} is not ready` };
    try {
      const ref = { executionId: record.placement.executionId, run: record.run };
      return { type: 'asked', runs: [await client.status(ref)] };
    } catch (thrown) {
      return { type: 'not-asked', reason: LimpetError.from(thrown).message };
    }
  }
}

function unknown(text: string): LimpetError {
  return new LimpetError('not-found', `this node has no execution ${text}`);
}
