/**
 * News that waits to be told, in order. What can be told together is: a later status replaces an earlier one, a beat joins
 * whatever is next; only states (READY=1, RELOADING=1, STOPPING=1) are never merged, because their order is what they say.
 */
const STATES = ['READY', 'RELOADING', 'STOPPING'];

/** Of one call: assignments such as READY=1, by their name. */
export type Batch = ReadonlyMap<string, string>;

export class Batches {
  readonly #waiting: Map<string, string>[] = [];

  add(news: Readonly<Record<string, string>>): void {
    const entries = Object.entries(news);
    let last = this.#waiting.at(-1);
    if (last === undefined || (hasState(Object.keys(news)) && hasState([...last.keys()]))) {
      last = new Map();
      this.#waiting.push(last);
    }
    for (const [name, value] of entries) last.set(name, value);
  }

  take(): Batch | undefined {
    return this.#waiting.shift();
  }

  /** It could not be told: it stays first in the row, with what is newer. A beat that is late is none. */
  putBack(batch: Batch): void {
    const kept = new Map([...batch].filter(([name]) => name !== 'WATCHDOG'));
    const next = this.#waiting[0];
    const apart = next !== undefined && hasState([...kept.keys()]) && hasState([...next.keys()]);
    if (next !== undefined && !apart) this.#waiting[0] = new Map([...kept, ...next]);
    else if (kept.size > 0) this.#waiting.unshift(kept);
  }
}

function hasState(names: readonly string[]): boolean {
  return names.some((name) => STATES.includes(name));
}
