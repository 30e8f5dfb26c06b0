/** Of all programs of one build; shown to people and told to peers. */
export const VERSION = '0.1.0';
