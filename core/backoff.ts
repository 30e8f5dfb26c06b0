/** Delays that double from `firstMs` to `lastMs`; `attempt` counts from 0. */
export interface Backoff {
  readonly firstMs: number;
  readonly lastMs: number;
}

export function backoffMs(backoff: Backoff, attempt: number): number {
  return Math.min(backoff.lastMs, backoff.firstMs * 2 ** Math.min(attempt, 30));
}
