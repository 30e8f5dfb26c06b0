/** Programs under test: started, watched by their output, killed by pid, never left behind. */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { nodeFlags } from '../../cli/programs.ts';
import { eventually } from './eventually.ts';
import type { Teardown } from './teardown.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProgramOptions {
  readonly args?: readonly string[];
  /** Laid over this process's environment (without what tap adds to it); `undefined` takes a name away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Written to stdin, which is then closed; nothing is an empty stdin. */
  readonly input?: string;
}

/** The programs that `npm run build` makes. */
export type DistProgram =
  | 'limpet'
  | 'agent'
  | 'requester'
  | 'dev-broker'
  | 'executor-docker'
  | 'executor-wasm'
  | 'executor-process'
  | 'wasm-runner';

const OUTPUT_LIMIT = 4 * 1024 * 1024;
/** After its end a program's output is read to the end, unless a child of it holds the pipe open. */
const OUTPUT_GRACE_MS = 300;

/** Starts `command`; it is killed (SIGKILL, by pid) at teardown if it still runs. Rejects when it cannot be started. */
export async function startProgram(
  t: Teardown,
  command: string,
  options: ProgramOptions = {},
): Promise<Program> {
  const child = spawn('/usr/bin/env', [...withoutTap(), command, ...(options.args ?? [])], {
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const program = new Program(command, child, options.input ?? '');
  t.teardown(() => program.kill('SIGKILL'));
  await program.started();
  return program;
}

/** Those that stay are started with the flags that people's are started with, which their code cache is made for. */
const STAYING = ['agent', 'requester', 'dev-broker'] as const;

/** Starts `dist/<name>.js` with this Node. */
export function startDist(
  t: Teardown,
  name: DistProgram,
  options: ProgramOptions = {},
): Promise<Program> {
  const staying = STAYING.find((one) => one === name);
  const flags = staying === undefined ? [] : nodeFlags(staying);
  const args = [...flags, distPath(`${name}.js`), ...(options.args ?? [])];
  return startProgram(t, process.execPath, { ...options, args });
}

/** Absolute path of a file that `npm run build` makes, e.g. `distPath('fixtures/wasm/words.wasm')`. */
export function distPath(file: string): string {
  return fileURLToPath(new URL(`../../dist/${file}`, import.meta.url));
}

/** tap hooks every child by NODE_OPTIONS; programs under test start as they do for people. */
function withoutTap(): string[] {
  const hooks = ['ROOT', 'PARENT', 'EXTERNAL_ID', 'EXCLUDE'].map((n) => `_TAPJS_PROCESSINFO_${n}_`);
  const inherited = Object.keys(process.env).filter((name) => /^_?TAP/.test(name));
  return ['NODE_OPTIONS', ...new Set([...hooks, ...inherited])].flatMap((name) => ['-u', name]);
}

export class Program {
  readonly #child: ChildProcess;
  readonly #command: string;
  readonly #started: Promise<void>;
  #output = { stdout: '', stderr: '' };
  #exit: Exit | undefined;

  constructor(command: string, child: ChildProcess, input: string) {
    this.#command = command;
    this.#child = child;
    this.#started = new Promise((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    const end = (code: number | null, signal: NodeJS.Signals | null): void => {
      this.#exit ??= { code, signal };
    };
    child.once('close', end);
    child.once('exit', (code, signal) => setTimeout(end, OUTPUT_GRACE_MS, code, signal).unref());
    this.#collect('stdout');
    this.#collect('stderr');
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  }

  started(): Promise<void> {
    return this.#started;
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.#command} was not started`);
    return this.#child.pid;
  }

  /** How it ended, once its output is read to the end; undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** What it has written so far (the last 4 MiB of each). */
  get stdout(): string {
    return this.#output.stdout;
  }

  get stderr(): string {
    return this.#output.stderr;
  }

  /** The first match of `pattern` in stdout or stderr; rejects at the deadline, or at once when the program has ended. */
  async waitFor(pattern: RegExp, deadlineMs = 10_000): Promise<RegExpMatchArray> {
    const what = `${this.#command} to write ${pattern.source}`;
    const seen = await eventually(
      `${what}\n${this.#tail()}`,
      () => this.stdout.match(pattern) ?? this.stderr.match(pattern) ?? this.#exit,
      deadlineMs,
    );
    if ('code' in seen)
      throw new Error(`${what}: it ended with ${JSON.stringify(seen)}\n${this.#tail()}`);
    return seen;
  }

  /** Waits for its end; rejects at the deadline. */
  async waitForExit(deadlineMs = 10_000): Promise<Exit> {
    return eventually(`${this.#command} to end`, () => this.#exit, deadlineMs);
  }

  /** Sends a signal to this pid alone (not to its children). */
  signal(signal: NodeJS.Signals): boolean {
    return this.#running() && process.kill(this.pid, signal);
  }

  /** Signals it and waits until it is gone; nothing to do when it is. */
  async kill(signal: NodeJS.Signals = 'SIGKILL', deadlineMs = 10_000): Promise<void> {
    this.signal(signal);
    await eventually(`${this.#command} to end after ${signal}`, () => !this.#running(), deadlineMs);
  }

  #running(): boolean {
    return (
      this.#child.pid !== undefined &&
      this.#child.exitCode === null &&
      this.#child.signalCode === null
    );
  }

  #collect(name: 'stdout' | 'stderr'): void {
    const stream = this.#child[name];
    stream?.setEncoding('utf8');
    stream?.on('data', (text: string) => {
      this.#output[name] = (this.#output[name] + text).slice(-OUTPUT_LIMIT);
    });
  }

  #tail(): string {
    return `stdout: ${this.stdout.slice(-1000)}\nstderr: ${this.stderr.slice(-1000)}`;
  }
}
