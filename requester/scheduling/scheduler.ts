/** Joins the pure plan to the turns: every turn ends with one; a timer asks again when time alone changes it. */
import type { Clock, Timer } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { Backoff } from '../../core/backoff.ts';
import { messageOf } from '../../core/errors.ts';
import type { Resources } from '../../core/resources.ts';
import type { NodeId } from '../../core/ids.ts';
import type { SpecConfig } from '../../core/job.ts';
import type { ExecutorInfo } from '../../wire/messages.ts';
import { applyPlan, type Owner } from '../jobs/apply-plan.ts';
import type { Draft } from '../state/draft.ts';
import type { Inheritance } from './inheritance.ts';
import { plan } from './plan.ts';

export interface SchedulerOptions {
  readonly owner: Owner;
  readonly clock: Clock;
  readonly log: Logger;
  readonly declineBackoff: Backoff;
  readonly foreign: (node: NodeId) => Resources;
  /** What an executor has against the params of a task, as its schema says. */
  readonly refusal: (executor: ExecutorInfo, engine: SpecConfig) => string | undefined;
  readonly inheritance: (draft: Draft) => Inheritance;
  /** Runs an empty turn. */
  readonly wake: () => Promise<void>;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  #timer: Timer | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  settle(draft: Draft): void {
    const { owner, declineBackoff, foreign, inheritance, refusal } = this.#options;
    const made = plan({
      jobs: [...draft.jobs()],
      nodes: [...draft.nodes()].map((record) => ({ record, foreign: foreign(record.id), refusal })),
      executions: [...draft.executions()],
      now: draft.now,
      declineBackoff,
      inheritance: inheritance(draft),
    });
    applyPlan(draft, made, owner);
    this.#timer?.cancel();
    this.#timer = made.wakeAt === undefined ? undefined : this.#arm(made.wakeAt);
  }

  close(): void {
    this.#timer?.cancel();
  }

  #arm(at: number): Timer {
    const { clock, log, wake } = this.#options;
    return clock.after(Math.max(1, at - clock.now()), () => {
      wake().catch((thrown: unknown) =>
        log.error('scheduler.turn-failed', { reason: messageOf(thrown) }),
      );
    });
  }
}
