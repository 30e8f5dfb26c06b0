/**
 * Feeds the watchdog by what real work goes through. Three times in `watchdogMs` a no-op is sent through it, unless one is
 * under way; the beat follows when it has come out.
 *
 *   the event loop is blocked     no tick, no beat                         -> killed after watchdogMs
 *   the no-op does not come out   beats go on for STUCK_MS, then none      -> killed; a restart finds all work again
 *   ... because the disk is slow  beats go on for DISK_MS                  -> killed at most once in that time
 *
 * Work may hold the no-op up for as long as the calls of a plugin may take (a minute), hence STUCK_MS. A restart does not
 * make a disk faster, and a start has to read from it; after DISK_MS it is the only thing left to try.
 */
import type { Clock, Timer } from '../clock/port.ts';
import type { Logger } from '../log/port.ts';
import type { ServiceManager } from './port.ts';

export interface Heart {
  /** Sends a no-op; it settles, in either way, when that has come out. */
  pass(): Promise<unknown>;
  /** What holds it up is a write to the disk. */
  waitsForDisk(): boolean;
}

export interface WatchdogParts {
  readonly service: ServiceManager;
  readonly heart: Heart;
  readonly clock: Clock;
  readonly log: Logger;
}

export const STUCK_MS = 120_000;
export const DISK_MS = 600_000;
const BEATS_IN_TIME = 3;

export class Watchdog {
  readonly #parts: WatchdogParts;
  #timer: Timer | undefined;
  /** How long the present no-op is under way, in ticks: time in which the machine slept is not counted. */
  #heldMs: number | undefined;
  #starving = false;

  constructor(parts: WatchdogParts) {
    this.#parts = parts;
  }

  /** Nothing when nobody watches. */
  start(): void {
    const { watchdogMs } = this.#parts.service;
    if (watchdogMs !== undefined) this.#tick(watchdogMs / BEATS_IN_TIME);
  }

  close(): void {
    this.#timer?.cancel();
  }

  #tick(everyMs: number): void {
    this.#timer = this.#parts.clock.after(everyMs, () => {
      this.#tick(everyMs);
    });
    if (this.#heldMs === undefined) void this.#pass();
    else this.#held((this.#heldMs += everyMs));
  }

  async #pass(): Promise<void> {
    const { heart, service, log } = this.#parts;
    this.#heldMs = 0;
    await heart.pass().catch(() => undefined);
    this.#heldMs = undefined;
    service.beat();
    if (this.#starving) log.info('watchdog.fed-again');
    this.#starving = false;
  }

  #held(heldMs: number): void {
    const { heart, service, log } = this.#parts;
    const disk = heart.waitsForDisk();
    if (heldMs < (disk ? DISK_MS : STUCK_MS)) {
      service.beat();
      return;
    }
    if (!this.#starving) log.error('watchdog.starves', { heldMs, by: disk ? 'disk' : 'work' });
    this.#starving = true;
  }
}
