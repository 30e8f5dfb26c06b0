/**
 * How a run ends on the guest's thread: the verdict, then the exit record, and nothing of the guest after it. Whoever comes
 * second stays here until the process ends. An exit leaves the guest by a throw, so that the thread may serve another run;
 * a guest that catches it gets no further than its next call, and the watchdog ends the process.
 */
import { existsSync } from 'node:fs';
import type { Outcome } from '../../plugins/sdk/index.ts';
import { writeExit } from './record.ts';
import type { Verdict } from './verdict.ts';

const RECORD_RETRY_MS = 1_000;

/** What leaves the guest. */
class GuestLeft extends Error {}

export class Ending {
  readonly #folder: string;
  readonly #verdict: Verdict;
  readonly #lost: () => void;
  #isSettled = false;
  #record: string | undefined;

  /** `lost`: the run has its record, and this thread will do nothing more. */
  constructor(folder: string, verdict: Verdict, lost: () => void) {
    this.#folder = folder;
    this.#verdict = verdict;
    this.#lost = lost;
  }

  /** The run has its exit record, and the guest can be left. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** What it says; undefined when the run's folder was gone. */
  get record(): string | undefined {
    return this.#record;
  }

  get gate(): Verdict {
    return this.#verdict;
  }

  /** From inside the guest. */
  readonly end = (outcome: Outcome): never => {
    this.settle(outcome);
    throw new GuestLeft(outcome.reason);
  };

  /** Returns only after a clean end. */
  settle(outcome: Outcome): void {
    if (!this.#verdict.take()) this.#verdict.park();
    this.#record = recordEnd(this.#folder, outcome);
    this.#verdict.recorded();
    this.#isSettled = true;
    if (outcome.by === 'exit') return;
    this.#lost();
    this.#verdict.park();
  }
}

/** A full disk must not lose the outcome: tried until it is written. A run folder that is gone has no use for it. */
function recordEnd(folder: string, outcome: Outcome): string | undefined {
  const endedAt = Date.now();
  while (existsSync(folder)) {
    try {
      return writeExit(folder, outcome, endedAt);
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RECORD_RETRY_MS);
    }
  }
  return undefined;
}
