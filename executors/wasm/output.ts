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
  readonly #stdout: number;
  readonly #stderr: number;
  readonly #maxBytes: number;
  readonly #full: () => never;
  #allowance: number;

  /** `full` ends the run; it is called before anything above the bound is written. */
  constructor(folder: string, maxBytes: number, full: () => never) {
    this.#folder = folder;
    this.#stdout = fs.openSync(
      path.join(folder, RUN_FILE.stdout),
      O_APPEND | O_CREAT | O_WRONLY,
      0o600,
    );
    this.#stderr = fs.openSync(
      path.join(folder, RUN_FILE.stderr),
      O_APPEND | O_CREAT | O_WRONLY,
      0o600,
    );
    this.#maxBytes = maxBytes;
    this.#full = full;
    this.#allowance = maxBytes;
  }

  readonly stdout = (pieces: readonly Uint8Array[]): number => this.#write(this.#stdout, pieces);
  readonly stderr = (pieces: readonly Uint8Array[]): number => this.#write(this.#stderr, pieces);

  #write(fd: number, pieces: readonly Uint8Array[]): number {
    const size = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    if (size === 0) return 0;
    if (size > this.#allowance) this.#allowance = this.#maxBytes - this.#backlog();
    if (size > this.#allowance) this.#full();
    this.#allowance -= size;
    return fs.writevSync(fd, pieces);
  }

  close(): void {
    fs.closeSync(this.#stdout);
    fs.closeSync(this.#stderr);
  }

  #backlog(): number {
    const written = fs.fstatSync(this.#stdout).size + fs.fstatSync(this.#stderr).size;
    const { stdout, stderr } = readTaken(this.#folder);
    return written - stdout - stderr;
  }
}
