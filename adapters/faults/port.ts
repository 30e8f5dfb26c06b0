/**
 * Named crash points (`core/crash-points.ts`). In production every call is free and does nothing. With
 * LIMPET_CRASH_AT=<point>[:<n>] in the environment the process SIGKILLs itself at the n-th passage (default 1).
 */
import type { CrashPoint } from '../../core/crash-points.ts';

export interface Faults {
  reach(point: CrashPoint): void;
}
