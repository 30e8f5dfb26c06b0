/** When a plugin that was lost, or did not start, is tried again: after a time that grows, or at once when somebody asks. */
import { backoffMs } from '../../core/backoff.ts';
import { EitherSignal } from '../../core/either-signal.ts';
import type { PluginDeps } from './options.ts';

export class Retries {
  readonly #deps: Pick<PluginDeps, 'clock' | 'timings'>;
  /** Nobody wants another try. */
  readonly #over: AbortSignal;
  #count = 0;
  /** Lives in a row that ended before they were steady. */
  #failures = 0;
  #asked = new AbortController();

  constructor(deps: Pick<PluginDeps, 'clock' | 'timings'>, over: AbortSignal) {
    this.#deps = deps;
    this.#over = over;
  }

  /** So many times it was tried again. */
  get count(): number {
    return this.#count;
  }

  /** A try begins: what was asked for until now is about to be done. */
  begin(): void {
    this.#asked = new AbortController();
  }

  /** The next try is to come at once. */
  ask(): void {
    this.#asked.abort();
  }

  /** Called when it is ready; the answer, when that is over. Long enough, the back-off begins anew. */
  life(): () => void {
    const { clock, timings } = this.#deps;
    const readyAt = clock.uptime();
    return () => {
      if (clock.uptime() - readyAt >= timings.steadyMs) this.#failures = 0;
    };
  }

  /** Until the next try; `told` is how long that is, unless it comes at once. False: there is none. */
  async next(told: (delayMs: number) => void): Promise<boolean> {
    const { clock, timings } = this.#deps;
    if (!this.#asked.signal.aborted) {
      const delayMs = backoffMs(timings.restart, this.#failures);
      this.#failures += 1;
      told(delayMs);
      using either = new EitherSignal(this.#over, this.#asked.signal);
      await clock.sleep(delayMs, either.signal).catch(() => undefined);
    }
    if (this.#over.aborted) return false;
    this.#count += 1;
    return true;
  }
}
