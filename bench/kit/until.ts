import { setTimeout as delay } from 'node:timers/promises';

const LOOK_MS = 5;

/** Looks again and again until something is there; rejects after `timeoutMs`. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await delay(LOOK_MS);
  }
}
