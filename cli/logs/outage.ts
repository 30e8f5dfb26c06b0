/** While the requester is away: one line, a try each half second, and the end of patience after a minute. */
import { LimpetError } from '../../core/errors.ts';
import type { LogClock } from './clock.ts';
import type { Screens } from './screens.ts';

const RETRY_MS = 500;
export const PATIENCE_MS = 60_000;

export interface OutageOptions {
  readonly screens: Screens;
  readonly clock: LogClock;
  readonly signal: AbortSignal;
}

export class Outage {
  readonly #options: OutageOptions;
  #since: number | undefined;
  #told = false;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  over(): void {
    this.#since = undefined;
    this.#told = false;
  }

  /**
   * Resolves when the next try is due, with false when there is to be none. What has a reason is told, once.
   * Errors: `cancelled`.
   */
  async wait(reason: string | undefined): Promise<boolean> {
    const { screens, clock, signal } = this.#options;
    this.#since ??= clock.uptime();
    if (clock.uptime() - this.#since >= PATIENCE_MS) return false;
    if (reason !== undefined && !this.#told) {
      screens.say(`requester away (${reason}); going on when it is back`);
      this.#told = true;
    }
    await screens.flush(signal);
    await clock.sleep(RETRY_MS, signal).catch((cause: unknown) => {
      throw new LimpetError('cancelled', 'cancelled', { cause });
    });
    return true;
  }
}
