/**
 * The execution engine: one mailbox per execution. An event goes through `transition`; the new state, its history
 * entry and its outgoing report are durable in one batch before any effect runs. Effects are idempotent under
 * (execution id, run) and answer with events.
 *
 *   event -> mailbox -> transition -> batch {record, index, history, report} -> effects -> event ...
 *
 * What the world shows (a wake-up, a list, a recovery) goes through `decide` first; see `observer.ts`.
 */
import type { ExecutionId } from '../../core/ids.ts';
import { LimpetError } from '../../core/errors.ts';
import type { Effect, ExecutionEvent } from '../../core/execution/events.ts';
import { isParked, newRecord, type ExecutionRecord } from '../../core/execution/record.ts';
import { isTerminal, type ExecutionState } from '../../core/execution/states.ts';
import { transition } from '../../core/execution/transition.ts';
import type { Placement } from '../../core/job.ts';
import {
  addResources,
  NO_RESOURCES,
  subtractResources,
  type Resources,
} from '../../core/resources.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { Faults } from '../../adapters/faults/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { StoreOp } from '../../adapters/store/port.ts';
import type { ExecutionEvent as HistoryEvent } from '../../wire/messages.ts';
import { taskResources } from './resources.ts';
import { LiveExecution } from './live.ts';
import { eventOf, type ExecutionRepository } from './repository.ts';

/** Where reports go: rows for the outbox, and a wake-up once they are durable. */
export interface ReportSink {
  /** The batch that held rows was not written. */
  unwritten(ops: readonly StoreOp[]): void;
  /** Of changes that are made together: the record as it is then. */
  rows(record: ExecutionRecord, events: readonly HistoryEvent[]): readonly StoreOp[];
  /** What is under way may wait a moment for what follows; what somebody waits for may not. */
  wake(how: 'now' | 'soon'): void;
}

export interface EffectRunner {
  /** Never rejects; answers with events through `dispatch`. */
  run(live: LiveExecution, effect: Effect): Promise<void>;
}

export interface EngineDeps {
  /** Something on this disk shows that a run of it was begun here. */
  hasTraces(id: ExecutionId): boolean;
  readonly repository: ExecutionRepository;
  readonly reports: ReportSink;
  readonly clock: Clock;
  readonly faults: Faults;
  readonly log: Logger;
  /** An execution has come to its final state, and that is durable. */
  readonly ended?: (record: ExecutionRecord) => void;
}

/** Whether a new placement is admitted, `allocated` being what it takes with all that is there. */
export type Admits = (record: ExecutionRecord, allocated: Resources) => boolean;

/** A placement that is being written, and what it asks for then. */
export interface Placing {
  readonly record: ExecutionRecord;
  readonly effects: readonly Effect[];
  readonly ops: readonly StoreOp[];
}

/** The answer of an effect, when nothing has to be asked for it. */
export type Known = (effect: Effect) => ExecutionEvent | undefined;

export interface PlacedHow {
  readonly admits: Admits;
  /** Of a placement that is admitted. */
  readonly known: (record: ExecutionRecord) => Known;
}

interface Step {
  readonly before: ExecutionRecord;
  readonly after: ExecutionRecord;
  readonly effects: readonly Effect[];
  readonly cause: string;
}

/** The first one of an execution has nothing before it. */
type Written = Omit<Step, 'before'> & { readonly before: ExecutionRecord | undefined };

const STORE_RETRY_MS = 1_000;
/** States that are told a moment later: often the next one has followed by then, and one push tells both. */
const UNDER_WAY: readonly ExecutionState[] = ['preparing', 'starting', 'running', 'publishing'];

export class ExecutionEngine {
  readonly #deps: EngineDeps;
  readonly #live = new Map<ExecutionId, LiveExecution>();
  #effects: EffectRunner | undefined;
  #onIdle: (live: LiveExecution) => void = () => undefined;
  #allocated: Resources = NO_RESOURCES;

  constructor(deps: EngineDeps) {
    this.#deps = deps;
  }

  /** Wired once by compose: the runner of effects, and what to do when an execution has none under way. */
  connect(effects: EffectRunner, onIdle: (live: LiveExecution) => void): void {
    this.#effects = effects;
    this.#onIdle = onIdle;
  }

  /** Of everything that is not terminal. */
  get allocated(): Resources {
    return this.#allocated;
  }

  all(): Iterable<LiveExecution> {
    return this.#live.values();
  }

  get(id: ExecutionId): LiveExecution | undefined {
    return this.#live.get(id);
  }

  /** At start: what the store holds, without any effect; recovery decides what follows. */
  adoptStored(records: readonly ExecutionRecord[]): void {
    for (const record of records) this.#insert(record);
  }

  /** The record of a new execution, not yet written. Undefined: it is known (a placement that came twice). */
  async newPlacement(placement: Placement): Promise<ExecutionRecord | undefined> {
    const { repository, clock } = this.#deps;
    if (this.#live.has(placement.executionId)) return undefined;
    if ((await repository.get(placement.executionId)) !== undefined) return undefined;
    const fresh = newRecord(placement, clock.now());
    // It was here before, and the store has lost it: whatever is there of it counts, and it is not begun anew.
    if (!this.#deps.hasTraces(placement.executionId)) return fresh;
    return { ...fresh, state: 'starting', launchedRun: fresh.run };
  }

  /**
   * What writes placements, each as admitted if `admits` says so of what they all take together, and then as far as is
   * known. Commit it in the same turn, and call `insertPlaced` once it is durable.
   */
  place(records: readonly ExecutionRecord[], { admits, known }: PlacedHow): readonly Placing[] {
    let allocated = this.#allocated;
    return records.map((record) => {
      allocated = addResources(allocated, heldBy(record));
      const cause = 'accepted from its owner';
      const accepted: Written = { before: undefined, after: record, effects: [], cause };
      const admitted = admits(record, allocated)
        ? this.#walk(record, { type: 'admit' }, known(record))
        : [];
      const { after, effects } = admitted.at(-1) ?? accepted;
      return { record: after, effects, ops: this.#opsOf([accepted, ...admitted]) };
    });
  }

  insertPlaced({ record }: Placing): LiveExecution {
    const { state, placement } = record;
    this.#deps.log.info('execution.accepted', { execution: placement.executionId, state });
    return this.#insert(record);
  }

  /** A run without a record gets one; who placed it hears of it by the link's list of what is foreign here. */
  async importForeign(record: ExecutionRecord, cause: string): Promise<LiveExecution> {
    const { repository, log } = this.#deps;
    await repository.commit(
      repository.change(undefined, record, eventOf(undefined, record, cause)),
    );
    log.warn('execution.imported', { execution: record.placement.executionId, reason: cause });
    return this.#insert(record);
  }

  /** Puts an event into the mailbox. Resolves when it has been handled (its effects may still run). */
  dispatch(id: ExecutionId, event: ExecutionEvent): Promise<void> {
    const live = this.#live.get(id);
    if (live === undefined) return Promise.resolve();
    return live.serial(() => this.step(live, event));
  }

  /**
   * One step of a live execution. An effect that `known` can answer is not run: its answer becomes durable in the same
   * batch. Only from inside its mailbox.
   */
  async step(live: LiveExecution, event: ExecutionEvent, known?: Known): Promise<void> {
    const steps = this.#walk(live.record, event, known);
    const last = steps.at(-1);
    if (last === undefined) return;
    live.writing = true;
    await this.#commit(steps).finally(() => (live.writing = false));
    this.#account(live.record, last.after);
    live.record = last.after;
    for (const { before, after, cause } of steps) {
      if (isTerminal(after.state) && !isTerminal(before.state)) this.#deps.ended?.(after);
      this.#deps.log.info('execution.changed', {
        execution: after.placement.executionId,
        from: before.state,
        to: after.state,
        cause,
      });
    }
    // First: somebody may be waiting for the end, nobody for what follows it.
    this.#deps.reports.wake(UNDER_WAY.includes(live.record.state) ? 'soon' : 'now');
    if (isTerminal(live.record.state) && live.effects > 0) live.abort.abort();
    for (const effect of last.effects) this.runEffect(live, effect);
    if (live.record.removed) this.#forgetInMemory(live);
  }

  runEffect(live: LiveExecution, effect: Effect): void {
    const runner = this.#effects;
    if (runner === undefined) throw new LimpetError('internal', 'the engine is not connected');
    live.chainEffect(
      () => runner.run(live, effect),
      () => {
        this.#onIdle(live);
      },
    );
  }

  #walk(record: ExecutionRecord, first: ExecutionEvent, known?: Known): readonly Step[] {
    const steps: Step[] = [];
    for (let event: ExecutionEvent | undefined = first; event !== undefined;) {
      const before: ExecutionRecord = steps.at(-1)?.after ?? record;
      const result = transition(before, event, this.#deps.clock.now());
      if (result.type === 'ignored') {
        this.#deps.log.debug('execution.event-ignored', {
          execution: record.placement.executionId,
          event: event.type,
          reason: result.reason,
        });
        break;
      }
      const { record: after, effects, cause } = result;
      steps.push({ before, after, effects, cause });
      const [effect, ...others] = effects;
      event = effect !== undefined && others.length === 0 ? known?.(effect) : undefined;
    }
    return steps;
  }

  /** A full disk or a broken store stops nothing that runs: the change is tried again until it is durable. */
  async #commit(steps: readonly Step[]): Promise<void> {
    const { repository, reports, faults, clock, log } = this.#deps;
    faults.reach('agent.transition.before-commit');
    for (;;) {
      const ops = this.#opsOf(steps);
      try {
        await repository.commit(ops);
        break;
      } catch (thrown) {
        const error = LimpetError.from(thrown, 'store-failed');
        reports.unwritten(ops);
        log.error('store.write-failed', {
          execution: steps[0]?.after.placement.executionId,
          reason: error.message,
        });
        await clock.sleep(STORE_RETRY_MS);
      }
    }
    faults.reach('agent.transition.after-commit');
  }

  /** Nobody sees what is between the first and the last of them: the record is written once, each event is kept. */
  #opsOf(steps: readonly Written[]): StoreOp[] {
    const { repository, reports } = this.#deps;
    const [first, last] = [steps[0], steps.at(-1)];
    if (first === undefined || last === undefined) return [];
    const events = steps.map(({ before, after, cause }) => eventOf(before, after, cause));
    return [
      ...repository.change(first.before, last.after, ...events),
      ...reports.rows(last.after, events),
    ];
  }

  #insert(record: ExecutionRecord): LiveExecution {
    const live = new LiveExecution(record);
    this.#live.set(record.placement.executionId, live);
    this.#account(undefined, record);
    return live;
  }

  #account(before: ExecutionRecord | undefined, after: ExecutionRecord): void {
    const held = before === undefined ? NO_RESOURCES : heldBy(before);
    this.#allocated = addResources(subtractResources(this.#allocated, held), heldBy(after));
  }

  #forgetInMemory(live: LiveExecution): void {
    live.clearTimers();
    this.#live.delete(live.record.placement.executionId);
  }
}

/** What is foreign and does not run takes nothing but disk. */
function heldBy(record: ExecutionRecord): Resources {
  const holds = !isTerminal(record.state) && !isParked(record);
  return holds ? taskResources(record.placement.task) : NO_RESOURCES;
}
