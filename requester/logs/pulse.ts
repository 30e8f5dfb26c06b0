/** Tells of silence, so that whoever sends on can show that it is there. */
import type { Clock } from '../../adapters/clock/port.ts';

/** `undefined` stands for `everyMs` without a value. */
export async function* withPulse<T>(
  source: AsyncGenerator<T>,
  clock: Clock,
  everyMs: number,
): AsyncGenerator<T | undefined> {
  try {
    for (;;) {
      const next = source.next();
      const arrival = new Arrival(next);
      while (!(await arrival.within(clock, everyMs))) yield undefined;
      const result = await next;
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    // Not awaited: it returns when the read that is under way has ended.
    void source.return(undefined).catch(() => undefined);
  }
}

/** Listens to a promise once, however often it is waited for: each `Promise.race` would stay with it until it settles. */
class Arrival {
  #isThere = false;
  #wake: () => void = () => undefined;

  constructor(value: Promise<unknown>) {
    const arrive = (): void => {
      this.#isThere = true;
      this.#wake();
    };
    value.then(arrive, arrive);
  }

  async within(clock: Clock, ms: number): Promise<boolean> {
    if (this.#isThere) return true;
    await new Promise<void>((resolve) => {
      const timer = clock.after(ms, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
    return this.#isThere;
  }
}
