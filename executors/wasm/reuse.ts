/**
 * When a runner serves one run after the other, each in a fresh instance with a memory of its own.
 *
 *   end of the run                              the runner
 *   exited, whatever its code                   is free once the exit record and its name are on disk, and the guest is left
 *   trap, limit, refused                        ends itself
 *   stopped, deadline, lease                    ends itself; a stop order that came too late does that too
 *   exited, the guest swallowed its own exit    is ended by its watchdog within a second
 *   the run's folder is gone                    ends itself
 *
 * So one identity (pid, start time, boot id) may stand in the claims of several runs:
 *
 *   claim  exit record  process   the run
 *   yes    yes          any       has ended; its process may hold another run and is not to be touched
 *   yes    no           alive     is held by it: a runner is never free before the record is there
 *   yes    no           dead      died without a record, and no other run with it
 *
 * A process is killed for a run only after a stop order lies in the run's folder, and only if no exit record does: with no
 * record by then the runner finds the order at the end of this very run, and takes no other.
 */
const MIB = 2 ** 20;

/** Garbage of the guests before must stay far below what the watchdog takes for a runaway. */
const MOST_GUEST_BYTES = 32 * MIB;
const MOST_RESIDENT_BYTES = 160 * MIB;
const MOST_AGE_MS = 60_000;

export interface Served {
  /** Runs that this process has served. */
  readonly runs: number;
  readonly maxRuns: number;
  readonly sinceFirstMs: number;
  /** Memory of the last guest. */
  readonly guestBytes: number;
  /** Of the process. */
  readonly residentBytes: number;
}

export function mayServeAgain(served: Served): boolean {
  return (
    served.runs < served.maxRuns &&
    served.sinceFirstMs < MOST_AGE_MS &&
    served.guestBytes <= MOST_GUEST_BYTES &&
    served.residentBytes <= MOST_RESIDENT_BYTES
  );
}
