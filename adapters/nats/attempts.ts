/** When to connect again. A broker that refuses is asked less and less often. */
import { setTimeout as delay } from 'node:timers/promises';
import { EitherSignal } from '../../core/either-signal.ts';

const WAIT_MS = 500;
const JITTER_MS = 250;
const REFUSED_WAIT_MS = 15_000;

export class Attempts {
  #refusals = 0;
  #failed = false;
  #waiting = new AbortController();
  /** The next wait is none. */
  #now = false;

  get refused(): boolean {
    return this.#refusals > 0;
  }

  succeeded(): void {
    this.#refusals = 0;
    this.#failed = false;
  }

  failed(refused: boolean): void {
    this.#refusals = refused ? this.#refusals + 1 : 0;
    this.#failed = true;
  }

  /** After a connection that was good it is tried again almost at once. */
  async pause(closing: AbortSignal): Promise<void> {
    this.#waiting = new AbortController();
    if (this.#now) this.#waiting.abort();
    const refusedMs = Math.min(REFUSED_WAIT_MS, WAIT_MS * 2 ** (this.#refusals - 1));
    const waitMs = this.refused ? refusedMs : this.#failed ? WAIT_MS : 0;
    const jitterMs = Math.floor(Math.random() * Math.max(JITTER_MS, waitMs / 4));
    using either = new EitherSignal(closing, this.#waiting.signal);
    const { signal } = either;
    await delay(waitMs + jitterMs, undefined, { signal }).catch(() => undefined);
    this.#now = false;
  }

  /** Ends the wait; or, in the middle of an attempt, the one after it. */
  now(): void {
    this.#now = true;
    this.#waiting.abort();
  }
}
