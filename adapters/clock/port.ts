/** Time and randomness as ports, so that tests own both. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock, ms since the epoch. */
  now(): number;
  /** Monotonic ms that count suspended time, from /proc/uptime; only differences mean anything, within one boot. */
  uptime(): number;
  /** Runs `fn` once after `delayMs`; delays beyond 2^31 ms are allowed. Never keeps the process alive by itself. */
  after(delayMs: number, fn: () => void): Timer;
  /** Resolves after `delayMs`; rejects with `cancelled` when the signal fires. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  bytes(count: number): Uint8Array;
}
