/** Keeps so many jobs under way, and remembers what was promised: a job whose submission was answered exists for ever. */
import { setTimeout as delay } from 'node:timers/promises';
import { LimpetError } from '../../core/errors.ts';
import { jobReply } from '../../cli/api/models.ts';
import { jobOf, type Work } from './work.ts';
import type { World } from './world.ts';

const LOOK_MS = 150;
const OVER = ['Completed', 'Failed', 'Stopped'];

export interface Accepted {
  readonly work: Work;
  readonly job: string;
}

export interface LoadOptions {
  readonly underWay: number;
  readonly next: (n: number) => Work;
  readonly more: () => boolean;
}

export class Load {
  readonly accepted: Accepted[] = [];
  readonly #world: World;
  readonly #options: LoadOptions;
  readonly #open = new Set<Accepted>();
  #given = 0;

  constructor(world: World, options: LoadOptions) {
    this.#world = world;
    this.#options = options;
  }

  get ended(): number {
    return this.accepted.length - this.#open.size;
  }

  /** Ids of jobs that are not over yet, as far as is known. */
  get open(): readonly string[] {
    return [...this.#open].map(({ job }) => job);
  }

  /** Until `more` says no; then only looks, until everything has ended or the signal comes. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (this.#options.more() || this.#open.size > 0)) {
      while (this.#options.more() && this.#open.size < this.#options.underWay) {
        const job = await this.#submit(this.#options.next(this.#given), signal);
        if (job === undefined) return;
        this.#given += 1;
        this.accepted.push(job);
        this.#open.add(job);
      }
      for (const job of this.#open) if (await this.#isOver(job)) this.#open.delete(job);
      await delay(LOOK_MS);
    }
  }

  /** As often as it takes. An answer that was lost is found by the job's name. */
  async #submit(work: Work, signal: AbortSignal): Promise<Accepted | undefined> {
    while (!signal.aborted) {
      try {
        const known = await this.#byName(work.name);
        const job = known ?? (await this.#world.cluster.submit(jobOf(work, this.#world.ledgers)));
        return { work, job };
      } catch (thrown) {
        // It is away; whether this was taken shows when it is back.
        if (LimpetError.from(thrown).code.startsWith('invalid')) throw thrown;
        await delay(LOOK_MS);
      }
    }
    return undefined;
  }

  async #byName(name: string): Promise<string | undefined> {
    try {
      return (await this.#world.cluster.api.get(`orchestrator/jobs/${name}`, jobReply)).Job.ID;
    } catch (thrown) {
      if (LimpetError.from(thrown).code === 'not-found') return undefined;
      throw thrown;
    }
  }

  async #isOver({ job }: Accepted): Promise<boolean> {
    const now = await this.#world.cluster.job(job).catch(() => undefined);
    return now !== undefined && OVER.includes(now.state);
  }
}
