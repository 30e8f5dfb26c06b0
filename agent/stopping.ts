/**
 * The ways in which an agent ends. What they do to plugins and runs is the table of `limpet agent stop --help`.
 *
 *   detach   let go of everything; plugins and runs go on
 *   drain    take no new work, wait until the runs have finished, then end the plugins
 *   kill     end the runs, then the plugins
 *
 * A drain may wait for days and is not remembered: another order, or the agent's own death, puts an end to it.
 */
export const STOP_MODES = ['detach', 'drain', 'kill'] as const;
export type StopMode = (typeof STOP_MODES)[number];

export interface StopWork {
  /** Resolves when no work is left, or when the signal fires. */
  drain(signal: AbortSignal): Promise<void>;
  /** Ends the agent. */
  end(mode: StopMode): Promise<void>;
}

export class Stopping {
  readonly #work: StopWork;
  readonly #overruled = new AbortController();
  #draining: Promise<void> | undefined;
  #ending: Promise<void> | undefined;

  constructor(work: StopWork) {
    this.#work = work;
  }

  /** Resolves when the agent has ended. Twice is the same as once; the first order to end wins. */
  stop(mode: StopMode): Promise<void> {
    if (mode === 'drain') return (this.#draining ??= this.#drain());
    this.#overruled.abort();
    return (this.#ending ??= this.#work.end(mode));
  }

  async #drain(): Promise<void> {
    if (this.#ending === undefined) await this.#work.drain(this.#overruled.signal);
    await (this.#ending ??= this.#work.end('drain'));
  }
}
