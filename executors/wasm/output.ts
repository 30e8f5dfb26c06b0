/**
 * stdout and stderr of a run: raw, append-only files that hold exactly the guest's bytes; the reader gives them their time.
 * The bound is on what nobody has read yet: the plugin tells in the run folder how much is safe in the log.
 */
import fs from 'node:fs';
import path from 'node:path';
import { readTaken } from '../../plugins/sdk/raw-taken.ts';
import { RUN_FILE } from './record.ts';

const { O_APPEND, O_CREAT, O_WRONLY } = fs.constants;

export class Output {
  readonly #folder: string;
  #stdout: number | undefined;
  #stderr: number | undefined;
  readonly #maxBytes: number;
  readonly #full: () => never;
  #allowance: number;

  /** `full` ends the run; it is called before anything above the bound is written. */
  constructor(folder: string, maxBytes: number, full: () => never) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#full = full;
    this.#allowance = maxBytes;
  }

  readonly stdout = (pieces: readonly Uint8Array[]): number =>
    this.#write(() => (this.#stdout ??= this.#open(RUN_FILE.stdout)), pieces);
  readonly stderr = (pieces: readonly Uint8Array[]): number =>
    this.#write(() => (this.#stderr ??= this.#open(RUN_FILE.stderr)), pieces);

  #write(open: () => number, pieces: readonly Uint8Array[]): number {
    const size = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    if (size === 0) return 0;
    if (size > this.#allowance) this.#allowance = this.#maxBytes - this.#backlog();
    if (size > this.#allowance) this.#full();
    this.#allowance -= size;
    return fs.writevSync(open(), pieces);
  }

  close(): void {
    for (const fd of [this.#stdout, this.#stderr]) if (fd !== undefined) fs.closeSync(fd);
  }

  /** A stream that nothing was written to has no file. What is written after the folder is gone is gone too. */
  #open(name: string): number {
    const file = fs.existsSync(this.#folder) ? path.join(this.#folder, name) : '/dev/null';
    return fs.openSync(file, O_APPEND | O_CREAT | O_WRONLY, 0o600);
  }

  #backlog(): number {
    const written = [this.#stdout, this.#stderr]
      .filter((fd) => fd !== undefined)
      .reduce((sum, fd) => sum + fs.fstatSync(fd).size, 0);
    const { stdout, stderr } = readTaken(this.#folder);
    return written - stdout - stderr;
  }
}
