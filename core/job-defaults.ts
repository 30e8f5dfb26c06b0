/** What a job gets when it does not say; shown by `limpet job validate` and `describe`. */

export const DEFAULT_NAMESPACE = 'default';

/** Text forms as they are stored: lower case. */
export const DEFAULT_CPU = '500m';
export const DEFAULT_MEMORY = '512mb';

/** Seconds; for batch and ops without a timeout of their own. Service and daemon have none. */
export const DEFAULT_EXECUTION_TIMEOUT_S = 3600;

/** Executions that one job may ask for. */
export const MAX_COUNT = 100_000;

/** Seconds; keeps every deadline an exact number of milliseconds. */
export const MAX_TIMEOUT_S = 1e9;

/** Delays between runs, and how long a run has to last to begin the count of restarts anew. */
export const DEFAULT_RESTART = { Delay: '1s', MaxDelay: '60s', ResetAfter: '5m' } as const;

export const MAX_RESTARTS = 1_000_000;
/** Milliseconds. */
export const LEAST_RESTART_DELAY_MS = 100;
export const MAX_RESTART_TIME_MS = 24 * 3_600_000;
export const LEAST_LEASE_MS = 1_000;
