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
