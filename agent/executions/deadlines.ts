/** Holders keep deadlines; the agent looks just after, for what never launched or has lost its holder. */
import { isTerminal } from '../../core/execution/states.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { LiveExecution } from './live.ts';

const SLACK_MS = 1_000;

export interface DeadlineDeps {
  readonly clock: Clock;
  /** Its deadline has passed. */
  look(live: LiveExecution): void;
}

export class Deadlines {
  readonly #deps: DeadlineDeps;

  constructor(deps: DeadlineDeps) {
    this.#deps = deps;
  }

  /** Once armed it stays so; without a deadline, or at its end, an execution needs none. */
  arm(live: LiveExecution): void {
    const { deadlineAt } = live.record.placement;
    if (deadlineAt === undefined || live.deadlineTimer !== undefined) return;
    if (isTerminal(live.record.state)) return;
    const { clock } = this.#deps;
    const delay = Math.max(0, deadlineAt + SLACK_MS - clock.now());
    live.deadlineTimer = clock.after(delay, () => {
      live.deadlineTimer = undefined;
      // The clock may have been set back since.
      if (clock.now() < deadlineAt) this.arm(live);
      else this.#deps.look(live);
    });
  }
}
