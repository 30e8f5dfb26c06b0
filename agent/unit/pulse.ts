import type { Heart } from '../../adapters/systemd/watchdog.ts';
import type { LiveExecution } from '../executions/live.ts';

/**
 * A no-op through the mailbox of every execution: behind whatever is being decided, written or ordered there. One mailbox
 * that does not move holds it up.
 */
export class Pulse implements Heart {
  readonly #executions: () => Iterable<LiveExecution>;
  /** In whose mailboxes the no-op still is. */
  readonly #held = new Set<LiveExecution>();

  constructor(executions: () => Iterable<LiveExecution>) {
    this.#executions = executions;
  }

  async pass(): Promise<void> {
    await Promise.all(Array.from(this.#executions(), (live) => this.#passThrough(live)));
  }

  waitsForDisk(): boolean {
    return this.#held.size > 0 && [...this.#held].every(({ writing }) => writing);
  }

  async #passThrough(live: LiveExecution): Promise<void> {
    this.#held.add(live);
    await live.serial(() => Promise.resolve());
    this.#held.delete(live);
  }
}
