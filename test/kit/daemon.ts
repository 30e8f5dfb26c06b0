/** A program of a cluster that is killed and started again at will, and ended at teardown. */
import { eventually } from './eventually.ts';
import { startDist, type DistProgram, type Program, type ProgramOptions } from './program.ts';

/** Its end is arranged by the daemon, in the order that its cluster needs. */
const NO_TEARDOWN = { teardown: () => undefined };

export class Daemon {
  readonly #name: DistProgram;
  readonly #options: ProgramOptions;
  readonly #past: Program[] = [];
  #program: Program | undefined;

  constructor(name: DistProgram, options: ProgramOptions) {
    this.#name = name;
    this.#options = options;
  }

  /** The one that runs, or ran last. */
  get program(): Program {
    if (this.#program === undefined) throw new Error(`${this.#name} was not started`);
    return this.#program;
  }

  get running(): boolean {
    return this.#program !== undefined && this.#program.exit === undefined;
  }

  /** The log of all its lives. */
  get stderr(): string {
    return [...this.#past, this.#program].map((program) => program?.stderr ?? '').join('');
  }

  async start(env: Readonly<Record<string, string | undefined>> = {}): Promise<Program> {
    if (this.#program !== undefined) this.#past.push(this.#program);
    const options = { ...this.#options, env: { ...this.#options.env, ...env } };
    this.#program = await startDist(NO_TEARDOWN, this.#name, options);
    return this.#program;
  }

  /** SIGKILL unless told otherwise; waits until it is gone and its output is read. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.running) return;
    await this.program.kill(signal);
    await eventually(`${this.#name} to end`, () => this.program.exit);
  }
}
