/**
 * The one writer. Steps wait in a queue; a turn takes those that are waiting, runs them on one draft, lets `settle` (the
 * scheduler) add what follows from them, commits everything in one durable batch, and only then changes the world, answers
 * the callers and wakes the senders. A step that throws leaves nothing behind and fails its caller alone.
 *
 *   run(step) -> queue -> [ step, step, ... ] -> settle -> store.batch -> world -> callers, listeners
 */
import type { Clock } from '../../adapters/clock/port.ts';
import type { Faults } from '../../adapters/faults/port.ts';
import type { Store, StoreOp } from '../../adapters/store/port.ts';
import { LimpetError } from '../../core/errors.ts';
import type { JobId } from '../../core/ids.ts';
import { liveKey } from './keys.ts';
import { Draft, type AppendRows, type Changes } from './draft.ts';
import { isSettled, type World } from './world.ts';

export type Step<T> = (draft: Draft) => Promise<T> | T;

export interface CoordinatorOptions {
  readonly store: Store;
  readonly world: World;
  readonly clock: Clock;
  readonly faults: Faults;
  readonly append: AppendRows;
  /** A turn was not committed: of these operations none was written. */
  readonly unwritten: (ops: readonly StoreOp[]) => void;
  readonly settle: (draft: Draft) => void;
  /** After each commit, before the callers are answered. */
  readonly onCommitted: (changes: Changes) => void;
}

interface Waiting {
  readonly step: (draft: Draft) => Promise<void>;
  readonly alone: boolean;
  readonly commit: (ops: readonly StoreOp[]) => Promise<void>;
  readonly done: () => void;
  readonly failed: (error: LimpetError) => void;
}

/** Steps that share one turn at most. */
const MOST_STEPS = 64;

export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #queue: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closed = false;
  #writing = false;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
  }

  /** A turn is on its way to the disk. */
  get writing(): boolean {
    return this.#writing;
  }

  /** Resolves with the step's answer once its turn is durable. */
  run<T>(step: Step<T>): Promise<T> {
    return this.#add(step, false, (ops) => this.#options.store.batch(ops));
  }

  /** As `run`, in a turn of its own. */
  runAlone<T>(step: Step<T>): Promise<T> {
    return this.#add(step, true, (ops) => this.#options.store.batch(ops));
  }

  /** As `runAlone`, but somebody else commits the operations, together with their own. */
  runWith<T>(step: Step<T>, commit: (ops: readonly StoreOp[]) => Promise<void>): Promise<T> {
    return this.#add(step, true, commit);
  }

  /** Refuses further steps; resolves when those that wait are done. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  #add<T>(step: Step<T>, alone: boolean, commit: Waiting['commit']): Promise<T> {
    if (this.#closed)
      return Promise.reject(new LimpetError('unavailable', 'the requester is stopping'));
    return new Promise<T>((resolve, reject) => {
      let answer: { readonly value: T } | undefined;
      this.#queue.push({
        step: async (draft) => {
          answer = { value: await step(draft) };
        },
        alone,
        commit,
        done: () => {
          if (answer !== undefined) resolve(answer.value);
        },
        failed: reject,
      });
      this.#running ??= this.#drain();
    });
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) await this.#turn(this.#take());
    this.#running = undefined;
  }

  #take(): Waiting[] {
    if (this.#queue[0]?.alone === true) return this.#queue.splice(0, 1);
    const next = this.#queue.findIndex((waiting) => waiting.alone);
    return this.#queue.splice(0, Math.min(next === -1 ? MOST_STEPS : next, MOST_STEPS));
  }

  async #turn(steps: readonly Waiting[]): Promise<void> {
    const { world, clock, append, settle } = this.#options;
    const draft = new Draft(world, append, clock.now());
    const taken: Waiting[] = [];
    for (const waiting of steps) {
      const fork = draft.fork();
      try {
        await waiting.step(fork);
        draft.merge(fork);
        taken.push(waiting);
      } catch (thrown) {
        waiting.failed(LimpetError.from(thrown));
      }
    }
    const commit = taken[0]?.commit;
    if (commit === undefined) return;
    try {
      settle(draft);
      await this.#commit(draft, commit);
    } catch (thrown) {
      for (const waiting of taken) waiting.failed(LimpetError.from(thrown, 'store-failed'));
      return;
    }
    for (const waiting of taken) waiting.done();
  }

  async #commit(draft: Draft, commit: Waiting['commit']): Promise<void> {
    const { world, faults, onCommitted, unwritten } = this.#options;
    const settled = settledJobs(draft);
    for (const id of settled) draft.op({ type: 'del', key: liveKey(id) });
    const ops = draft.seal();
    faults.reach('requester.turn.before-commit');
    this.#writing = true;
    try {
      await commit(ops);
    } catch (thrown) {
      unwritten(ops);
      throw thrown;
    } finally {
      this.#writing = false;
    }
    faults.reach('requester.turn.after-commit');
    const changes = draft.changed;
    world.put(changes);
    for (const id of settled) world.evict(id);
    onCommitted(changes);
  }
}

/** Jobs that this turn has brought to their very end. */
function settledJobs(draft: Draft): JobId[] {
  const touched = new Set([
    ...draft.changed.jobs.map((job) => job.id),
    ...draft.changed.executions.map((execution) => execution.jobId),
  ]);
  return [...touched].filter((id) => {
    const job = draft.job(id);
    return job !== undefined && isSettled(job, draft.executions());
  });
}
