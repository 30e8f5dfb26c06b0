/**
 * When the disk of a raw output was full, and where the output was then: what the run printed meanwhile is not there. Seen by
 * a look now and then, and when the log on the same disk cannot be written.
 */
import { statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { RawPositions } from './raw-taken.ts';

/** What is less than this is taken by the next piece of output. */
const LEAST_BYTES = 64 * 1024;

interface Full extends RawPositions {
  readonly fromMs: number;
  readonly toMs: number;
}

export class FullDisk {
  readonly #folder: string;
  #full: Full | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** It is full now. */
  note(): void {
    const now = Date.now();
    this.#full = {
      fromMs: this.#full?.fromMs ?? now,
      toMs: now,
      stdout: sizeOf(join(this.#folder, 'stdout')),
      stderr: sizeOf(join(this.#folder, 'stderr')),
    };
  }

  /** Notes it when it is full. */
  look(): void {
    if (this.#isFull()) this.note();
  }

  /** Up to there a raw file holds what was printed before it was full; Infinity when it was not. */
  sizeOf(name: keyof RawPositions): number {
    return this.#full?.[name] ?? Infinity;
  }

  /** The same as `look`; true when it was full and is no more. */
  hasEnded(): boolean {
    this.look();
    return this.#full !== undefined && !this.#isFull();
  }

  /** What is to be told of it; undefined when it was not full. */
  get text(): string | undefined {
    if (this.#full === undefined) return undefined;
    const { fromMs, toMs } = this.#full;
    const [from, to] = [fromMs, toMs].map((ms) => new Date(ms).toISOString());
    return `the disk of this node was full from ${from} to ${to}: output of that time may be missing here`;
  }

  forget(): void {
    this.#full = undefined;
  }

  #isFull(): boolean {
    try {
      const { bfree, bavail, bsize } = statfsSync(this.#folder);
      return (process.getuid?.() === 0 ? bfree : bavail) * bsize < LEAST_BYTES;
    } catch {
      // A folder that is gone is no full disk.
      return false;
    }
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
