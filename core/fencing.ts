/** The order of the executions of one partition: the newest token counts. */
import type { FencingToken } from './job.ts';

export interface Fenced {
  readonly id: string;
  readonly token: FencingToken;
}

/** Of equal tokens, which only an owner without memory can have given out, the one that was placed later: ids tell time. */
export function isNewer(a: Fenced, b: Fenced): boolean {
  if (a.token.jobVersion !== b.token.jobVersion) return a.token.jobVersion > b.token.jobVersion;
  if (a.token.attempt !== b.token.attempt) return a.token.attempt > b.token.attempt;
  return a.id > b.id;
}

export function newestOf<T extends Fenced>(all: readonly T[]): T | undefined {
  return all.reduce<T | undefined>(
    (best, one) => (best === undefined || isNewer(one, best) ? one : best),
    undefined,
  );
}

/**
 * The attempt of the next execution. For a job that its owner has known since it was submitted they are counted. For an
 * older one a newer self of the owner may have given out more than is known; never as many as milliseconds have passed.
 */
export function nextAttempt(counted: number, inherited: boolean, sinceSubmitMs: number): number {
  return inherited ? Math.max(counted, Math.ceil(sinceSubmitMs)) : counted;
}
