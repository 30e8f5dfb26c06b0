/** Time as reading a log needs it; tests own theirs. */
import { setTimeout as delay } from 'node:timers/promises';

export interface LogClock {
  /** Monotonic ms; only differences mean anything. */
  uptime(): number;
  /** Runs `fn` once after `delayMs`, and does not keep the program alive for it. */
  after(delayMs: number, fn: () => void): { cancel(): void };
  /** Rejects when the signal fires. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export const SYSTEM_CLOCK: LogClock = {
  uptime: () => performance.now(),
  after(delayMs, fn) {
    const timer = setTimeout(fn, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
  sleep: (delayMs, signal) => delay(delayMs, undefined, signal === undefined ? {} : { signal }),
};
