/** The clock of the host. */
import { readFileSync } from 'node:fs';
import { LimpetError } from '../../core/errors.ts';
import type { Clock, Timer } from './port.ts';

/** What one timer of the platform can hold. */
const LONGEST_MS = 2 ** 31 - 1;

export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    uptime,
    after,
    sleep: (delayMs, signal) => sleepOn(after, delayMs, signal),
  };
}

function uptime(): number {
  return Math.round(Number.parseFloat(readFileSync('/proc/uptime', 'utf8')) * 1000);
}

function after(delayMs: number, fn: () => void): Timer {
  let left = Math.max(0, delayMs);
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const part = Math.min(left, LONGEST_MS);
    left -= part;
    timer = setTimeout(left > 0 ? arm : fn, part);
    timer.unref();
  };
  arm();
  return { cancel: () => clearTimeout(timer) };
}

/** `sleep` made of any `after`; leaves neither timer nor listener behind. */
export function sleepOn(
  timers: Clock['after'],
  delayMs: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancelled = (): void => reject(new LimpetError('cancelled', 'the wait was cancelled'));
    if (signal?.aborted) return cancelled();
    const onAbort = (): void => {
      timer.cancel();
      cancelled();
    };
    const timer = timers(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
