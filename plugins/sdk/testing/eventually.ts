/** Waiting in tests: poll a state until it is there, or fail with the last state seen. */
import { setTimeout as delay } from 'node:timers/promises';

type Falsy = false | 0 | '' | null | undefined;

const POLL_MS = 20;
/** What has lasted longer is looked at less often: a twentieth of the time, so that waiting leaves the cores to the work. */
const SLOWEST_POLL_MS = 100;
const SLOWER_BY = 20;

/**
 * Calls `look` again and again, every 20 to 100 ms, until its answer is truthy, and resolves with that answer; a throw counts
 * as "not yet". After `deadlineMs` (30 s) it rejects with an Error that names `what` was waited for and the last answer or error.
 */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  deadlineMs = 30_000,
): Promise<Exclude<T, Falsy>> {
  const began = performance.now();
  const end = began + deadlineMs;
  for (;;) {
    const seen = await attempt(look, end - performance.now());
    if ('value' in seen && isTruthy(seen.value)) return seen.value;
    if (performance.now() >= end) {
      throw new Error(`${what}: not within ${deadlineMs} ms; last seen: ${describe(seen)}`);
    }
    const waited = performance.now() - began;
    await delay(Math.min(Math.max(POLL_MS, waited / SLOWER_BY), SLOWEST_POLL_MS));
  }
}

type Seen<T> = { readonly value: T } | { readonly error: unknown };

/** One look, itself bounded, so that a hung look cannot outlive the deadline. */
async function attempt<T>(look: () => T | Promise<T>, leftMs: number): Promise<Seen<T>> {
  const bound = new AbortController();
  const late = delay(Math.max(leftMs, POLL_MS), undefined, { signal: bound.signal }).then(
    () => ({ error: new Error('the look itself did not return') }),
    () => ({ error: undefined }),
  );
  try {
    return await Promise.race([Promise.resolve(look()).then((value) => ({ value })), late]);
  } catch (error) {
    return { error };
  } finally {
    bound.abort();
  }
}

function isTruthy<T>(value: T): value is Exclude<T, Falsy> {
  return Boolean(value);
}

function describe<T>(seen: Seen<T>): string {
  if ('error' in seen)
    return `error ${seen.error instanceof Error ? seen.error.message : String(seen.error)}`;
  try {
    return JSON.stringify(seen.value, bigintAsText) ?? String(seen.value);
  } catch {
    return String(seen.value);
  }
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}
