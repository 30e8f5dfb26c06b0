/** The clock of the host. */
import { readFileSync } from 'node:fs';
import { LimpetError } from '../../core/errors.ts';
import type { Clock, Timer } from './port.ts';

/** What one timer of the platform can hold. */
const LONGEST_MS = 2 ** 31 - 1;

/** `offsetMs` is what the wall clock is off by, for tests; the uptime does not notice. */
export function systemClock(offsetMs = 0): Clock {
  return {
    now: () => Date.now() + offsetMs,
    uptime,
    after,
    sleep: (delayMs, signal) => sleepOn(after, delayMs, signal),
  };
}

/** Tests alone set it: a wall clock that somebody has set back or forward. Errors: `invalid-config`. */
export const CLOCK_OFFSET_VARIABLE = 'LIMPET_CLOCK_OFFSET_MS';

export function clockOffset(env: Readonly<NodeJS.ProcessEnv>): number {
  const text = env[CLOCK_OFFSET_VARIABLE] ?? '';
  const offset = Number(text);
  if (Number.isSafeInteger(offset)) return offset;
  throw new LimpetError(
    'invalid-config',
    `${CLOCK_OFFSET_VARIABLE}='${text}'; expected a whole number of ms`,
  );
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
