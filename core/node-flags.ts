/** Flags of Node for our programs; the builds and the units in deploy/ name them too. */

/**
 * Of all that stay: V8's default lets the space of young objects grow to 48 MB, which these programs would fill and never
 * need.
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=2'];
/** Of the agent and its plugins: with a heap as small as theirs, threads that help to collect it cost more than they save. */
export const AGENT_FLAGS: readonly string[] = [...NODE_FLAGS, '--single-threaded-gc'];
