/**
 * One program of `limpet dev`: started in a process group of its own (Ctrl-C at the terminal is for dev alone),
 * started again a second after it died, ended by TERM and at last KILL.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { LimpetError } from '../../core/errors.ts';
import { readLines } from './line-output.ts';
import type { Say } from './line-output.ts';
import { identify } from './process-identity.ts';
import type { Identity } from './process-identity.ts';

const RESTART_MS = 1000;
/** So many ends within so short a time after the start, in a row, are final. */
const SHORT_LIFE_MS = 5000;
const MAX_SHORT_LIVES = 5;

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Each line of its output. */
  readonly onLine: (line: string) => void;
  /** What dev itself has to say of it. */
  readonly say: Say;
  /** Runs again, under another pid. */
  onRestart(): void;
  /** It cannot be kept alive. */
  onGivenUp(error: LimpetError): void;
}

export class Child {
  readonly #options: ChildOptions;
  #process: ChildProcess | undefined;
  #startedAt = 0;
  #shortLives = 0;
  /** Not yet: before it was ready once, its end is for the one who waits for it. */
  #supervised = false;

  constructor(options: ChildOptions) {
    this.#options = options;
  }

  get identity(): Identity | undefined {
    const pid = this.#process?.pid;
    return pid === undefined ? undefined : identify(pid);
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** It runs now. */
  get running(): boolean {
    const child = this.#process;
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Rejects with `unavailable` when the program cannot be started. */
  async start(): Promise<void> {
    const { name, command, args, env } = this.#options;
    const child = spawn(command, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Whoever started this command waits for its word, not for that of each program.
      env: { ...process.env, NOTIFY_SOCKET: undefined, ...env },
    });
    this.#process = child;
    this.#startedAt = performance.now();
    readLines(child.stdout, this.#options.onLine);
    readLines(child.stderr, this.#options.onLine);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => {
        reject(
          new LimpetError('unavailable', `${name} cannot be started: ${cause.message}`, { cause }),
        );
      });
    });
    child.once('exit', (code, signal) => {
      void this.#ended(code, signal);
    });
  }

  /** From now on it is started again when it ends. */
  supervise(): void {
    this.#supervised = true;
  }

  /** From now on its end is wanted. TERM, after `graceMs` KILL; resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#supervised = false;
    this.#process?.kill('SIGTERM');
    if (await this.waitForEnd(graceMs)) return;
    this.#options.say(`${this.#options.name} does not end; killing it`);
    this.kill();
    await this.waitForEnd(graceMs);
  }

  /** From now on its end is wanted. */
  expectEnd(): void {
    this.#supervised = false;
  }

  kill(): void {
    this.#supervised = false;
    this.#process?.kill('SIGKILL');
  }

  /** False when it still runs after `deadlineMs`. */
  async waitForEnd(deadlineMs: number): Promise<boolean> {
    const child = this.#process;
    if (child === undefined || !this.running) return true;
    const bound = new AbortController();
    const ended = new Promise<boolean>((resolve) => child.once('exit', () => resolve(true)));
    const late = delay(deadlineMs, false, { signal: bound.signal }).catch(() => false);
    const result = await Promise.race([ended, late]);
    bound.abort();
    return result;
  }

  async #ended(code: number | null, signal: NodeJS.Signals | null): Promise<void> {
    if (!this.#supervised) return;
    const { name, say } = this.#options;
    const how = signal === null ? `exit code ${code ?? '?'}` : `signal ${signal}`;
    const short = performance.now() - this.#startedAt < SHORT_LIFE_MS;
    this.#shortLives = short ? this.#shortLives + 1 : 0;
    if (this.#shortLives >= MAX_SHORT_LIVES) {
      this.#options.onGivenUp(
        new LimpetError('unavailable', `${name} ended ${MAX_SHORT_LIVES} times in a row (${how})`),
      );
      return;
    }
    say(`${name} ended (${how}); starting it again in 1 s`);
    await delay(RESTART_MS);
    if (!this.#supervised) return;
    try {
      await this.start();
      this.#options.onRestart();
    } catch (error) {
      this.#options.onGivenUp(LimpetError.from(error));
    }
  }
}
