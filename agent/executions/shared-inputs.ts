/**
 * Inline inputs by their content, for runs that cannot write to them: `inputs/shared/<sha256>`, written once for all
 * executions that have it. What nobody uses goes when there are many, the oldest first. In memory is who uses what, so that
 * files of an earlier start of the agent are left for an hour: a run may just be about to open them.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ignore } from '../../adapters/durable/if-there.ts';

const MOST_FILES = 64;
const EARLIER_MS = 3_600_000;

export class SharedInputs {
  readonly #folder: string;
  /** Executions by file; the one that was staged last is the last. */
  readonly #users = new Map<string, Set<string>>();
  #startedAt: number | undefined = performance.now();

  /** `inputs`: of this agent. */
  constructor(inputs: string) {
    this.#folder = join(inputs, 'shared');
  }

  /** Answers where it is. */
  stage(executionId: string, bytes: Buffer): string {
    const name = createHash('sha256').update(bytes).digest('hex');
    const file = join(this.#folder, name);
    const users = this.#users.get(name) ?? new Set();
    if (!this.#users.delete(name) || !existsSync(file)) writeInput(file, bytes);
    this.#users.set(name, users.add(executionId));
    this.#evict();
    return file;
  }

  release(executionId: string): void {
    for (const users of this.#users.values()) users.delete(executionId);
  }

  #evict(): void {
    if (this.#startedAt !== undefined && performance.now() - this.#startedAt > EARLIER_MS) {
      this.#startedAt = undefined;
      for (const name of readdirSync(this.#folder)) if (!this.#users.has(name)) this.#remove(name);
    }
    for (const [name, users] of this.#users) {
      if (this.#users.size <= MOST_FILES) return;
      if (users.size === 0) this.#remove(name);
    }
  }

  #remove(name: string): void {
    this.#users.delete(name);
    rmSync(join(this.#folder, name), { force: true });
  }
}

/** Written before, a file is compared, as a power loss may have torn it: that costs less than making it durable. */
export function writeInput(file: string, bytes: Buffer): void {
  if (!holds(file, bytes)) {
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(`${file}.partial`, bytes);
    renameSync(`${file}.partial`, file);
  }
  // Containers run as whom their image says, and the service's umask would let root alone read.
  chmodSync(file, 0o644);
}

function holds(file: string, bytes: Buffer): boolean {
  try {
    return readFileSync(file).equals(bytes);
  } catch (thrown) {
    return ignore('ENOENT', false)(thrown);
  }
}
