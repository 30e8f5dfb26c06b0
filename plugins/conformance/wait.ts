/** Waiting with a bound. */
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../core/errors.ts';
import { Violation } from './types.ts';

const POLL_MS = 20;
/** What has lasted longer is looked at less often: a twentieth of the time. */
const SLOWEST_POLL_MS = 200;
const SLOWER_BY = 20;

/**
 * Looks every 20 ms, later less often, until the answer is neither false nor undefined and answers that; a throw counts as
 * "not yet". At the bound: a Violation with `what` as expected and the last answer, or error, as found.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  withinMs: number,
): Promise<Exclude<T, false | undefined>> {
  const began = performance.now();
  const end = began + withinMs;
  let last = 'nothing';
  for (;;) {
    try {
      const seen = await look();
      if (isThere(seen)) return seen;
      last = String(seen);
    } catch (thrown) {
      last = messageOf(thrown);
    }
    if (performance.now() >= end) throw new Violation(`${what} within ${withinMs / 1000} s`, last);
    const waited = performance.now() - began;
    await delay(Math.min(Math.max(POLL_MS, waited / SLOWER_BY), SLOWEST_POLL_MS));
  }
}

function isThere<T>(seen: T): seen is Exclude<T, false | undefined> {
  return seen !== false && seen !== undefined;
}

/** The answer, or a Violation at the bound; what was waited for goes on by itself. */
export async function within<T>(what: string, ms: number, work: Promise<T>): Promise<T> {
  const bound = new AbortController();
  const late = delay(ms, undefined, { signal: bound.signal }).then(
    () => Promise.reject(new Violation(`${what} within ${ms / 1000} s`, 'no answer')),
    () => new Promise<never>(() => undefined),
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    bound.abort();
    work.catch(() => undefined);
  }
}
