/**
 * One life of a simulated process. When it ends, everything that the process would still do comes to nothing: its timers
 * never fire, its calls never answer, its writes reach nobody. What is left of its code runs on in memory and can be
 * ignored, so a crash point need not throw.
 */
import type { Clock, Timer } from '../../adapters/clock/port.ts';
import { sleepOn } from '../../adapters/clock/system-clock.ts';

const NO_TIMER: Timer = { cancel: () => undefined };

export class Life implements Clock {
  readonly #world: Clock;
  readonly #onEnd = new Set<() => void>();
  #alive = true;

  constructor(world: Clock) {
    this.#world = world;
  }

  get alive(): boolean {
    return this.#alive;
  }

  end(): void {
    if (!this.#alive) return;
    this.#alive = false;
    const listeners = [...this.#onEnd];
    this.#onEnd.clear();
    for (const listener of listeners) listener();
  }

  /** Runs in the very moment of death; the answer takes the listener back. */
  onEnd(listener: () => void): () => void {
    if (!this.#alive) listener();
    else this.#onEnd.add(listener);
    return () => this.#onEnd.delete(listener);
  }

  /** Settles as `work` does, unless the process is dead by then. */
  async gate<T>(work: Promise<T>): Promise<T> {
    try {
      const value = await work;
      return this.#alive ? value : await forever();
    } catch (thrown) {
      if (!this.#alive) await forever();
      throw thrown;
    }
  }

  /** The clock of this process. */
  now(): number {
    return this.#world.now();
  }

  uptime(): number {
    return this.#world.uptime();
  }

  after(delayMs: number, fn: () => void): Timer {
    if (!this.#alive) return NO_TIMER;
    return this.#world.after(delayMs, () => {
      if (this.#alive) fn();
    });
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn((ms, fn) => this.after(ms, fn), delayMs, signal);
  }
}

/** What a dead process gets for an answer. */
export function forever<T>(): Promise<T> {
  return new Promise(() => undefined);
}
