/**
 * Work that is older than this process. Its store may be an old copy, so that a newer self has placed what looks unplaced
 * here; see docs/decisions/0014-old-copy-of-the-requester.md.
 */
import type { JobRecord } from '../state/records.ts';

export interface Awaited {
  readonly reason: string;
  /** Then it is not waited for any longer, ms since the epoch. */
  readonly until: number;
}

export interface Inheritance {
  /** The job was in the store when this process began. */
  inherits(job: JobRecord): boolean;
  /** What it has to wait for before anything of it is placed; undefined: for nothing. */
  awaited(job: JobRecord): Awaited | undefined;
}

export const NOTHING_INHERITED: Inheritance = {
  inherits: () => false,
  awaited: () => undefined,
};
