/** A time in which no plugin lives. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from './types.ts';

const LOOK_MS = 200;

/** Resolves when nothing of this bench lives any more, or after `atMostMs`: some keep helpers that are no run's. */
export async function withoutPlugin(bench: Bench, atMostMs: number): Promise<void> {
  const end = performance.now() + atMostMs;
  while (performance.now() < end && bench.processes().length > 0) await delay(LOOK_MS);
}
