/** Whether anybody still talks to this plugin. */
export class Activity {
  #last = performance.now();
  #held = 0;

  touch(): void {
    this.#last = performance.now();
  }

  /** A stream is open; answers what to call at its end. */
  hold(): () => void {
    this.#held += 1;
    return () => {
      this.#held -= 1;
      this.touch();
    };
  }

  /** Time since the last call; 0 while a stream is open. */
  get idleMs(): number {
    return this.#held > 0 ? 0 : performance.now() - this.#last;
  }
}
