/** The one thing the kit needs of a test: `t` of tap fits. Handlers run last in, first out. */
export interface Teardown {
  teardown(handler: () => unknown): void;
}
