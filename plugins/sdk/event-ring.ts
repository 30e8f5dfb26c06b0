/** Numbered wake-ups with a bounded memory: a reader that has missed some is told so by `gap` and lists. */
import type { Observation, RunKey } from './types.ts';

export interface WakeEvent {
  readonly seq: number;
  /** undefined: look at everything. */
  readonly key?: RunKey;
  readonly gap: boolean;
  readonly timeMs: number;
  /** The run as it was seen then, when somebody has looked. */
  readonly seen?: Observation;
}

const KEPT = 1024;

export class EventRing {
  readonly #kept: WakeEvent[] = [];
  readonly #readers = new Set<() => void>();
  #seq = 0;

  push(key: RunKey, seen?: Observation): void {
    this.#seq += 1;
    const said = seen === undefined ? {} : { seen };
    this.#kept.push({ seq: this.#seq, key, gap: false, timeMs: Date.now(), ...said });
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const reader of this.#readers) reader();
  }

  /** What follows `since` (0: only what comes now), until `signal` fires. */
  async *follow(since: number, signal: AbortSignal): AsyncGenerator<WakeEvent> {
    let seen = since === 0 ? this.#seq : since;
    while (!signal.aborted) {
      const oldest = this.#seq - this.#kept.length + 1;
      if (seen > this.#seq || seen < oldest - 1) {
        seen = this.#seq;
        yield { seq: seen, gap: true, timeMs: Date.now() };
        continue;
      }
      const next = this.#kept[seen - oldest + 1];
      if (next === undefined) {
        await this.#news(signal);
        continue;
      }
      seen = next.seq;
      yield next;
    }
  }

  /** Resolves at the next push or when `signal` fires. */
  #news(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        this.#readers.delete(go);
        signal.removeEventListener('abort', go);
        resolve();
      };
      this.#readers.add(go);
      signal.addEventListener('abort', go, { once: true });
    });
  }
}
