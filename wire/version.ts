/** Of all programs of one build; shown to people and told to peers. */
export const VERSION = '0.1.0';

/** Of the records in the stores: a program reads older ones, and refuses newer ones. A release tells its own. */
export const STORE_SCHEMAS = { agent: 1, requester: 1 } as const;
