/**
 * Named crash points (`core/crash-points.ts`). In production every call is free and does nothing. With
 * LIMPET_CRASH_AT=<point>[:<n>] in the environment the process SIGKILLs itself at the n-th passage (default 1); with
 * `<point>:<n>:stop` it stands still there (SIGSTOP), so that a test can kill others at that very moment.
 */
import type { CrashPoint } from '../../core/crash-points.ts';

export interface Faults {
  reach(point: CrashPoint): void;
}
