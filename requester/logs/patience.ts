/**
 * When a log whose stream has broken is asked for again, and when that is given up:
 *
 * | a log | is given up |
 * |---|---|
 * | that is followed, of an execution that goes on | never |
 * | that was followed until its node told of the end | after PATIENT_TRIES: the node is back, or about to be |
 * | of what has ended, or that is not followed | after TRIES, and not before an agent could have been restarted; at once when its node is known to be away |
 */
import { backoffMs } from '../../core/backoff.ts';
import { isTerminal } from '../../core/execution/states.ts';
import type { ExecutionRecord } from '../state/records.ts';
import type { LogOrigin } from './log-origin.ts';

const BACKOFF = { firstMs: 100, lastMs: 5_000 };
const TRIES = 3;
const PATIENT_TRIES = 10;
/** An agent that is restarted, or upgraded, is back by then. */
const RESTART_MS = 5_000;
/** Who does not follow is told that a node does not answer when that takes longer. */
const SILENT_MS = 2_000;

export class Patience {
  readonly #origin: LogOrigin;
  readonly #execution: ExecutionRecord;
  readonly #follow: boolean;
  /** Uptime. */
  readonly #beganAt: number;
  /** Uptime; of the last try. */
  #openedAt = Infinity;
  /** Tries in a row that brought nothing, and broke soon. */
  #failures = 0;
  /** The same, since no more is to come. */
  #last = 0;
  #wasLive = false;

  constructor(origin: LogOrigin, execution: ExecutionRecord, follow: boolean) {
    this.#origin = origin;
    this.#execution = execution;
    this.#follow = follow;
    this.#beganAt = origin.clock.uptime();
  }

  /** Before the first try. */
  async begin(): Promise<void> {
    this.#wasLive = this.#follow && !(await hasEnded(this.#origin, this.#execution));
  }

  /** A try has brought a stream. */
  opened(): void {
    this.#openedAt = this.#origin.clock.uptime();
  }

  /** It has not. */
  refused(): void {
    this.#openedAt = Infinity;
  }

  /** Until the next try. */
  get pauseMs(): number {
    return backoffMs(BACKOFF, this.#failures);
  }

  /**
   * A stream broke, or was not to be had; `isAbsent`: for want of a node that answers, `brought`: not before something of
   * it had come. Answers whether that was the last try.
   */
  async isOver({ isAbsent, brought }: Break): Promise<boolean> {
    const { clock } = this.#origin;
    const isGood = brought || clock.uptime() - this.#openedAt > BACKOFF.lastMs;
    this.#failures = isGood ? 0 : this.#failures + 1;
    const now = await this.#origin.now(this.#execution);
    const isLast = !this.#follow || isEnded(now);
    this.#last = isLast ? this.#last + 1 : 0;
    if (!isLast) return false;
    if (this.#wasLive && now?.outcome?.by !== 'lost') return this.#last >= PATIENT_TRIES;
    if (isAbsent && this.#origin.isAway(this.#execution)) return true;
    return this.#last >= TRIES && clock.uptime() - this.#beganAt >= RESTART_MS;
  }

  /** A break that mends by itself at once is not worth a word, and neither is a wait that nobody notices. */
  isNews({ isAbsent }: Pick<Break, 'isAbsent'>): boolean {
    if (this.#follow) return isAbsent || this.#failures > 1;
    return isAbsent && this.#origin.clock.uptime() - this.#beganAt > SILENT_MS;
  }
}

export interface Break {
  readonly isAbsent: boolean;
  readonly brought: boolean;
}

/** Nothing is printed any more. */
export async function hasEnded(
  origin: Pick<LogOrigin, 'now'>,
  execution: ExecutionRecord,
): Promise<boolean> {
  return isEnded(await origin.now(execution));
}

function isEnded(now: ExecutionRecord | undefined): boolean {
  return now === undefined || isTerminal(now.state);
}
