/**
 * Keeps what finished executions leave on this node within bounds of age, number and size: record, history, log and results
 * go together, the oldest finished first. Never touched: what lives, what is foreign, anything while a report waits for
 * its acknowledgement. It looks once an hour, and before work is refused because the disk has no room.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import type { ExecutionId } from '../../core/ids.ts';
import type { Clock, Timer } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { AgentFolders } from '../executions/folders.ts';
import type { ExecutionRepository } from '../executions/repository.ts';
import { bytesOf } from './usage.ts';

export interface HousekeepingRules {
  readonly keepFinishedMs: number;
  readonly keepFinishedCount: number;
  readonly housekeeping: { readonly maxBytes: number; readonly everyMs: number };
}

export interface HousekeeperDeps {
  readonly repository: ExecutionRepository;
  readonly folders: AgentFolders;
  readonly clock: Clock;
  readonly log: Logger;
  /** Read anew each time. */
  rules(this: void): HousekeepingRules;
  /** False while reports wait for their acknowledgement: then nothing is forgotten. */
  acknowledged(this: void): boolean;
}

export interface Housekeeping {
  /** ms since the epoch, of the last look; undefined before the first. */
  readonly lookedAt?: number;
  /** Logs and results of finished executions, and how many of these are kept, after the last look. */
  readonly bytes: number;
  readonly finished: number;
  /** Executions that this process has forgotten. */
  readonly forgotten: number;
}

interface Kept {
  readonly id: ExecutionId;
  readonly finishedAt: number;
  readonly bytes: number;
}

export class Housekeeper {
  readonly #deps: HousekeeperDeps;
  #state: Housekeeping = { bytes: 0, finished: 0, forgotten: 0 };
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(deps: HousekeeperDeps) {
    this.#deps = deps;
  }

  get state(): Housekeeping {
    return this.#state;
  }

  start(): void {
    if (this.#closed) return;
    this.#timer = this.#deps.clock.after(this.#deps.rules().housekeeping.everyMs, () => {
      void this.look().then(() => {
        this.start();
      });
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  /** One at a time; never throws. */
  look(): Promise<void> {
    this.#running ??= this.#look()
      .catch((thrown: unknown) => {
        this.#deps.log.warn('housekeeping.failed', { reason: LimpetError.from(thrown).message });
      })
      .finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #look(): Promise<void> {
    const { clock, acknowledged, rules, log } = this.#deps;
    if (!acknowledged()) return;
    const kept = await this.#finished();
    const going = tooMuch(kept, rules(), clock.now());
    for (const one of going) await this.#forget(one);
    const left = kept.filter((one) => !going.has(one));
    const freed = sum(kept) - sum(left);
    const { forgotten } = this.#state;
    this.#state = {
      ...{ lookedAt: clock.now(), bytes: sum(left), finished: left.length },
      forgotten: forgotten + going.size,
    };
    if (going.size > 0)
      log.info('housekeeping.done', {
        executions: going.size,
        freedBytes: freed,
        bytes: sum(left),
      });
  }

  /** Oldest first. */
  async #finished(): Promise<readonly Kept[]> {
    const { repository, folders } = this.#deps;
    const kept: Kept[] = [];
    for (const { id, finishedAt } of await repository.finished()) {
      const log = await bytesOf(join(folders.logs, id));
      kept.push({ id, finishedAt, bytes: log + (await bytesOf(join(folders.results, id))) });
    }
    return kept;
  }

  async #forget({ id }: Kept): Promise<void> {
    const { repository, folders } = this.#deps;
    const record = await repository.get(id);
    if (record === undefined) return;
    await rm(join(folders.logs, id), { recursive: true, force: true });
    await rm(join(folders.results, id), { recursive: true, force: true });
    await repository.forget(record);
  }
}

/** Pure: which of them go; `kept` is in the order of their ends. */
export function tooMuch(
  kept: readonly Kept[],
  { keepFinishedMs, keepFinishedCount, housekeeping }: HousekeepingRules,
  now: number,
): ReadonlySet<Kept> {
  const going = new Set<Kept>();
  let [bytes, count] = [sum(kept), kept.length];
  for (const one of kept) {
    const old = now - one.finishedAt > keepFinishedMs;
    if (!old && count <= keepFinishedCount && bytes <= housekeeping.maxBytes) break;
    going.add(one);
    bytes -= one.bytes;
    count -= 1;
  }
  return going;
}

function sum(kept: readonly Kept[]): number {
  return kept.reduce((bytes, one) => bytes + one.bytes, 0);
}
