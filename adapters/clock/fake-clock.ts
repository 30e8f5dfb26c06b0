/** A clock that only moves when told, for tests. */
import type { Clock, Timer } from './port.ts';
import { sleepOn } from './system-clock.ts';

interface Pending {
  readonly at: number;
  readonly fn: () => void;
}

export class FakeClock implements Clock {
  #wall: number;
  #uptime: number;
  /** In the order of their making: of two at the same time the older one runs first. */
  readonly #pending = new Set<Pending>();
  readonly #settle: () => Promise<void>;
  #ran = 0;

  /** `settle` lets all that has become ready run to its end, before the next timer and before `advance` resolves. */
  constructor(nowMs = 1_700_000_000_000, uptimeMs = 1_000_000, settle = turnOfTheLoop) {
    this.#wall = nowMs;
    this.#uptime = uptimeMs;
    this.#settle = settle;
  }

  now(): number {
    return this.#wall;
  }

  uptime(): number {
    return this.#uptime;
  }

  after(delayMs: number, fn: () => void): Timer {
    const entry = { at: this.#uptime + Math.max(0, delayMs), fn };
    this.#pending.add(entry);
    return { cancel: () => void this.#pending.delete(entry) };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn((delay, fn) => this.after(delay, fn), delayMs, signal);
  }

  /** Timers that have not run yet. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Timers that have run, ever. */
  get ran(): number {
    return this.#ran;
  }

  /** Moves on, running each timer at its time in order; what they and their promises arrange within the span runs too. */
  async advance(ms: number): Promise<void> {
    const end = this.#uptime + ms;
    await this.#settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#moveTo(next.at);
      this.#pending.delete(next);
      this.#ran += 1;
      next.fn();
      await this.#settle();
    }
    this.#moveTo(end);
  }

  /** Someone set the wall clock; the uptime does not notice. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  #next(end: number): Pending | undefined {
    let next: Pending | undefined;
    for (const one of this.#pending)
      if (one.at <= end && (next === undefined || one.at < next.at)) next = one;
    return next;
  }

  #moveTo(uptime: number): void {
    const step = Math.max(0, uptime - this.#uptime);
    this.#uptime += step;
    this.#wall += step;
  }
}

/** Promises that are ready run to their end, and so does what the host has answered by now. */
function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
