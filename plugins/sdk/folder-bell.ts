/**
 * Rings when something in a folder changes, by inotify, which costs nothing while nothing happens: a plugin may have hundreds
 * of runs. A look now and then is due all the same: for what leaves no trace in a folder, and where there is no inotify.
 */
import { watch } from 'node:fs';

/** Between two looks where nothing tells of a change. */
const WATCHED_MS = 1_000;
const POLL_MS = 100;

/** A ring between `reset` and `wait` is not missed. */
export class FolderBell {
  readonly #watcher: ReturnType<typeof watch> | undefined;
  #rung = false;
  #wake: () => void = () => undefined;
  #isWatching = true;

  constructor(folder: string) {
    try {
      this.#watcher = watch(folder, () => this.ring());
      this.#watcher.on('error', () => (this.#isWatching = false));
    } catch {
      // No inotify watch to be had: looks alone do it.
      this.#isWatching = false;
    }
  }

  reset(): void {
    this.#rung = false;
  }

  /** Until it rings, `signal` fires, or it is time for a look: soon, when one is due `soon` or nothing else would tell. */
  wait(signal: AbortSignal, soon: boolean): Promise<void> {
    if (this.#rung || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', this.#wake);
        resolve();
      };
      const timer = setTimeout(this.#wake, soon || !this.#isWatching ? POLL_MS : WATCHED_MS);
      signal.addEventListener('abort', this.#wake, { once: true });
    });
  }

  ring(): void {
    this.#rung = true;
    this.#wake();
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
  }
}
