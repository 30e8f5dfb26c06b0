/** Wakes those who wait for a job to change. */
import type { JobId } from '../../core/ids.ts';
import type { Changes } from '../state/draft.ts';

export class Watchers {
  readonly #waiting = new Map<JobId, Set<() => void>>();

  notify({ jobs, executions }: Changes): void {
    const touched = new Set([...jobs.map(({ id }) => id), ...executions.map(({ jobId }) => jobId)]);
    this.wake(touched);
  }

  /** Something of these has changed that is in no record. */
  wake(jobs: Iterable<JobId>): void {
    for (const id of jobs) for (const wake of this.#waiting.get(id) ?? []) wake();
  }

  /**
   * From now on every change of the job is seen: `next()` resolves at once when there was one since the last call, else at
   * the next one, or with false when the signal fires.
   */
  watch(id: JobId, signal: AbortSignal): { next(): Promise<boolean>; stop(): void } {
    let seen = false;
    let wake: () => void = () => undefined;
    const listener = (): void => {
      seen = true;
      wake();
    };
    const set = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, set.add(listener));
    const leave = (): void => wake();
    signal.addEventListener('abort', leave, { once: true });
    return {
      next: async () => {
        if (!seen && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
        seen = false;
        return !signal.aborted;
      },
      stop: () => {
        signal.removeEventListener('abort', leave);
        set.delete(listener);
        if (set.size === 0) this.#waiting.delete(id);
      },
    };
  }
}
