/** One execution in memory: its record, its mailbox, its effects. Nothing here outlives a crash, and nothing has to. */
import type { ExecutionRecord } from '../../core/execution/record.ts';
import { messageOf } from '../../core/errors.ts';
import type { LiveProgress } from '../../core/live-progress.ts';
import type { Timer } from '../../adapters/clock/port.ts';

export class LiveExecution {
  record: ExecutionRecord;
  /** Aborts a running prepare. */
  abort = new AbortController();
  /** Effects that are under way or wait; a look is put off until they are done. */
  effects = 0;
  looking = false;
  lookAgain = false;
  /** The plugin has just taken the order to stop; the look that follows need not give it again. */
  stopTaken = false;
  /** Its plugin could not be asked when it began: the next look has to recover the run, so that it is supervised. */
  unsupervised = false;
  /** When a look first met `removing`, ms; 0 when it did not. */
  removingSince = 0;
  /** Runs with a stored outcome that were seen alive: until they are gone, every look asks for them too. */
  readonly leftovers = new Set<number>();
  /** Retries of effects and looks that could not be done now. */
  retries = 0;
  /** A change of it is on its way to the disk. */
  writing = false;
  retryTimer: Timer | undefined;
  deadlineTimer: Timer | undefined;
  restartTimer: Timer | undefined;
  /** Of prepare, while it is under way. */
  progress: LiveProgress | undefined;
  #mailbox: Promise<unknown> = Promise.resolve();
  #effectChain: Promise<unknown> = Promise.resolve();

  constructor(record: ExecutionRecord) {
    this.record = record;
  }

  /** One at a time, in order; the only writer of this execution. */
  serial<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#mailbox.then(work);
    this.#mailbox = result.catch(messageOf);
    return result;
  }

  /** Effects of one execution run one after the other, outside the mailbox. `work` never rejects. */
  chainEffect(work: () => Promise<void>, idle: () => void): void {
    this.effects += 1;
    this.#effectChain = this.#effectChain.then(work).finally(() => {
      this.effects -= 1;
      if (this.effects === 0) idle();
    });
  }

  clearTimers(): void {
    for (const timer of [this.retryTimer, this.deadlineTimer, this.restartTimer]) timer?.cancel();
    this.retryTimer = undefined;
    this.deadlineTimer = undefined;
    this.restartTimer = undefined;
  }
}
