/** Events that are kept of one execution; with each further one the oldest goes. A service may restart for years. */
export const KEPT_EVENTS = 2_000;
