/**
 * Descriptors for a child that must not inherit ours. Node closes its own on exec, but native add-ons need not: LevelDB's
 * files would stay open, and writable, in every plugin and in all that a plugin starts. Node cannot mark a descriptor
 * close-on-exec, so /dev/null is put over each number that is in use, and over some that a thread may take meanwhile.
 */
import { readdirSync } from 'node:fs';

const SPARE = 32;

export interface SealedStreams {
  readonly stdout: number;
  readonly stderr: number;
  /** An open descriptor of /dev/null, readable and writable. */
  readonly devNull: number;
}

/** For `stdio` of a spawn: stdin is /dev/null, the two outputs as given, nothing else of ours. */
export function sealedStdio({ stdout, stderr, devNull }: SealedStreams): number[] {
  const highest = Math.max(...readdirSync('/proc/self/fd').map(Number));
  return [devNull, stdout, stderr, ...Array<number>(highest - 2 + SPARE).fill(devNull)];
}
