/** 100 ms, doubling to 5 s: how long to wait for an engine that is away. */
export function backoffMs(attempt: number): number {
  return Math.min(5_000, 100 * 2 ** Math.min(attempt, 10));
}
