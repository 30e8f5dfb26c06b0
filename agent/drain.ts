/**
 * A node that is being drained takes no new work, lets finish what ends by itself, and stays. What stays up (services,
 * daemons) is stopped, for its owner to place elsewhere. The order outlives restarts of the agent, until it is taken back.
 */
import { z } from 'zod';
import type { Clock } from '../adapters/clock/port.ts';
import type { Logger } from '../adapters/log/port.ts';
import type { Store } from '../adapters/store/port.ts';

export interface DrainDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** From now on new work is refused for this reason, or taken again; tells the requester. */
  refuse(reason: string | undefined): void;
}

const KEY = 'meta/drain';
const drainSchema = z.object({ since: z.number() });

export class Drain {
  readonly #deps: DrainDeps;
  #since: number | undefined;

  private constructor(deps: DrainDeps, since: number | undefined) {
    this.#deps = deps;
    this.#since = since;
  }

  /** An order that cannot be read is none. */
  static async load(deps: DrainDeps): Promise<Drain> {
    const { entries } = await deps.store.scan({ prefix: KEY, limit: 1 });
    const stored = drainSchema.safeParse(entries[0]?.value);
    const drain = new Drain(deps, stored.data?.since);
    if (drain.#since !== undefined) drain.#apply();
    return drain;
  }

  /** ms since the epoch; undefined while work is taken. */
  get since(): number | undefined {
    return this.#since;
  }

  /** Durable when it resolves. Twice is the same as once. Errors: `store-failed`. */
  async set(on: boolean): Promise<void> {
    const { store, clock, log } = this.#deps;
    if (on === (this.#since !== undefined)) return;
    const since = on ? clock.now() : undefined;
    await store.batch([
      since === undefined ? { type: 'del', key: KEY } : { type: 'put', key: KEY, value: { since } },
    ]);
    this.#since = since;
    log.info(on ? 'agent.drain' : 'agent.drain-ended', {});
    this.#apply();
  }

  #apply(): void {
    const since = this.#since;
    this.#deps.refuse(
      since === undefined
        ? undefined
        : `its operator has drained it (since ${new Date(since).toISOString()})`,
    );
  }
}
