/**
 * Rings when something in a folder changes, by inotify, which costs nothing while nothing happens: a plugin may have hundreds
 * of runs. A look is due now and then all the same: for what leaves no trace in a folder, and where there is no inotify.
 */
import { watch, type FSWatcher } from 'node:fs';
import { eachRound } from './rounds.ts';

const SOON_MS = 100;
const SELDOM_MS = 30_000;
const LATE_MS = 50;

/**
 * When to look where nothing tells of a change: in 100 ms; in a second; in 30 s, when the folder or `news` tells of all that
 * is waited for.
 */
export type Pace = 'soon' | 'often' | 'seldom';

export interface Waited {
  readonly pace: Pace;
  /** Asked once a second: something has changed that leaves no trace in the folder. Cheap, as it is asked for every run. */
  readonly news?: () => boolean;
}

/** A ring between `reset` and `wait` is not missed. */
export class FolderBell {
  readonly #folder: string;
  #watcher: FSWatcher | undefined;
  /**
   * How the folder is heard of: `late` is not heard of yet, `gone` is one that was moved or deleted, `deaf` has no inotify
   * watch to be had.
   */
  #hearing: 'late' | 'well' | 'gone' | 'deaf' = 'late';
  /** The watch may be that of a folder which is no more here. */
  #inDoubt = false;
  #deafSince = 0;
  #rung = false;
  #wake: () => void = () => undefined;

  /** `late`: nothing in the folder rings before somebody has waited 50 ms; many runs are over by then. */
  constructor(folder: string, { late = false } = {}) {
    this.#folder = folder;
    if (!late) this.#listen();
  }

  /** To be called before a look. */
  reset(): void {
    this.#rung = false;
    const again = this.#hearing === 'gone' || this.#inDoubt;
    if (again || (this.#hearing === 'deaf' && since(this.#deafSince) > SELDOM_MS)) this.#listen();
  }

  /** Until it rings, `signal` fires, or it is time for a look. */
  wait(signal: AbortSignal, waited: Waited): Promise<void> {
    if (this.#rung || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        stop();
        signal.removeEventListener('abort', wake);
        this.#wake = () => undefined;
        resolve();
      };
      const stop = this.#time(waited);
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  ring(): void {
    this.#rung = true;
    this.#wake();
  }

  /** Wakes when a look is due; answers what to call when it is not wanted any more. */
  #time({ pace, news }: Waited): () => void {
    if (this.#hearing === 'late') {
      const timer = setTimeout(() => {
        this.#listen();
        this.#wake();
      }, LATE_MS);
      return () => clearTimeout(timer);
    }
    if (pace === 'soon' || this.#hearing === 'deaf') {
      const timer = setTimeout(() => this.#wake(), SOON_MS);
      return () => clearTimeout(timer);
    }
    const from = performance.now();
    const dueMs = pace === 'often' || this.#hearing === 'gone' ? 0 : SELDOM_MS;
    return eachRound(() => {
      const isDue = since(from) >= dueMs;
      this.#inDoubt ||= isDue;
      if (isDue || news?.() === true) this.#wake();
    });
  }

  /** Before the old watch is let go of, so that one of the same folder is the same to the kernel. */
  #listen(): void {
    const before = this.#watcher;
    this.#watcher = undefined;
    this.#inDoubt = false;
    try {
      this.#watcher = watch(this.#folder, (event) => {
        // Also said of the folder itself when it is moved or deleted.
        this.#inDoubt ||= event === 'rename';
        this.ring();
      });
      this.#watcher.on('error', () => this.#lose('deaf'));
      this.#hearing = 'well';
    } catch (thrown) {
      const isGone = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
      this.#lose(isGone ? 'gone' : 'deaf');
    }
    before?.close();
  }

  #lose(hearing: 'gone' | 'deaf'): void {
    this.#hearing = hearing;
    this.#deafSince = performance.now();
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
  }
}

function since(time: number): number {
  return performance.now() - time;
}
