/**
 * One process of the plugin under test, started as an agent starts it: its own session, stdin null, stdout and stderr
 * files, a listed environment. What it writes is bounded; it is killed with its process group.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { Executor } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import { GRPCController, GRPCStdio } from '../proto/gen/plugin/plugin_pb.js';
import { client, connect, type Connection } from '../proto/grpc.ts';
import {
  COOKIE_KEY,
  COOKIE_VALUE,
  dialTarget,
  ENV_INSTANCE,
  ENV_PROTOCOL_VERSIONS,
  ENV_SOCKET_DIR,
  parseHandshake,
  type Handshake,
} from '../proto/handshake.ts';
import { statusOf } from './expect.ts';
import { Violation, type BenchFolders, type Calls, type Plugin } from './types.ts';
import { until } from './wait.ts';

/** As the agent: a plugin that has not said anything by then is given up. */
const START_MS = 20_000;
const KILLED_MS = 10_000;
const OUTPUT_BYTES = 16 * 2 ** 20;
const OUTPUT_LOOK_MS = 100;
const SHOWN_BYTES = 4096;

export interface Order {
  readonly command: readonly string[];
  /** Laid over what an agent sets; undefined takes a variable away. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly instance: string;
  readonly folders: BenchFolders;
  readonly config: unknown;
  readonly nodeId: string;
  readonly instanceId: string;
}

export class PluginProcess implements Plugin {
  readonly instance: string;
  readonly #order: Order;
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #links = new Set<Connection>();
  readonly #watch: NodeJS.Timeout;
  #failure: string | undefined;
  #link: Connection | undefined;
  #handshake: Handshake | undefined;
  #readyMs = 0;

  constructor(order: Order) {
    this.#order = order;
    this.instance = order.instance;
    this.#folder = join(order.folders.root, `p-${order.instance.slice(-6)}`);
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const [out, err] = [openSync(this.outFile, 'a'), openSync(this.#errFile, 'a')];
    this.#child = spawnInto(order, this.#folder, [out, err]);
    this.#child.on('error', (error) => (this.#failure = notStarted(order.command[0], error)));
    this.#watch = setInterval(() => bound([out, err]), OUTPUT_LOOK_MS);
    const close = () => {
      clearInterval(this.#watch);
      for (const fd of [out, err]) closeSync(fd);
    };
    // A program that cannot be started emits `error` and no `exit`.
    this.#child.once(this.#child.pid === undefined ? 'error' : 'exit', close);
  }

  /** Where its stdout goes. */
  get outFile(): string {
    return join(this.#folder, 'out');
  }

  get #errFile(): string {
    return join(this.#folder, 'err');
  }

  /** Resolves when it has shaken hands. Throws a Violation with what it said. */
  async ready(): Promise<void> {
    const began = performance.now();
    const line = await until(
      'a handshake as the first line of stdout',
      () => {
        const text = this.stdout();
        const first = /^.*\n/.exec(text)?.[0];
        if (first !== undefined) return first;
        if (text.length >= SHOWN_BYTES) return `${text.slice(0, SHOWN_BYTES)}\n`;
        if (!this.isAlive) return this.end ?? 'no process';
        throw new Error(`nothing on stdout; ${this.#lastLines()}`);
      },
      START_MS,
    );
    if (!line.endsWith('\n'))
      throw new Violation('a handshake as the first line of stdout', this.#lastWords(line));
    this.#readyMs = performance.now() - began;
    try {
      this.#handshake = parseHandshake(line);
    } catch (thrown) {
      throw new Violation('a handshake that can be used', messageOf(thrown));
    }
    this.#drain();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get handshake(): Handshake {
    if (this.#handshake === undefined)
      throw new LimpetError('internal', 'the plugin has not shaken hands');
    return this.#handshake;
  }

  get readyMs(): number {
    return this.#readyMs;
  }

  get calls(): Calls {
    this.#link ??= this.#open();
    return client(Executor, this.#link);
  }

  get end(): string | undefined {
    const { exitCode, signalCode } = this.#child;
    if (this.#failure !== undefined) return this.#failure;
    if (signalCode !== null) return signalCode;
    return exitCode === null ? undefined : `code ${exitCode}`;
  }

  get isAlive(): boolean {
    return this.end === undefined;
  }

  stdout(): string {
    return readPart(this.outFile, () => 0);
  }

  stderr(): string {
    return readPart(this.#errFile, (size) => Math.max(0, size - SHOWN_BYTES));
  }

  connect(): { readonly calls: Calls; readonly connection: Connection } {
    const connection = this.#open();
    return { calls: client(Executor, connection), connection };
  }

  cut(): void {
    this.#link?.close();
    this.#link = undefined;
  }

  async configure(config: unknown = this.#order.config): Promise<void> {
    const { nodeId, instanceId, folders } = this.#order;
    const { runs, logs, state, sockets } = folders;
    const dirs = { runsDir: runs, logsDir: logs, stateDir: state, socketsDir: sockets };
    const request = { configJson: JSON.stringify(config), nodeId, instanceId, ...dirs };
    await this.calls.configure(request, { deadlineMs: START_MS });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill9(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.gone(KILLED_MS);
  }

  async askToEnd(): Promise<void> {
    this.#link ??= this.#open();
    try {
      await client(GRPCController, this.#link).shutdown({});
    } catch (thrown) {
      const status = statusOf(thrown);
      if (status !== 'UNAVAILABLE' && status !== 'CANCELLED')
        throw new Violation('Shutdown to answer', `${status}: ${messageOf(thrown)}`);
    }
  }

  async gone(withinMs: number): Promise<void> {
    await until('the end of the plugin', () => this.end, withinMs);
    this.#closeLinks();
  }

  /** SIGKILL to its process group; never throws. */
  destroy(): void {
    this.#closeLinks();
    if (!this.isAlive || this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      this.#child.kill('SIGKILL');
    }
  }

  #open(): Connection {
    const link = connect(dialTarget(this.handshake));
    this.#links.add(link);
    return link;
  }

  #closeLinks(): void {
    for (const link of this.#links) link.close();
    this.#links.clear();
    this.#link = undefined;
  }

  /** A host has to read this stream: go-plugin's prints wait for a reader. */
  #drain(): void {
    const stdio = client(GRPCStdio, this.#open());
    void (async () => {
      for await (const _ of stdio.streamStdio({}));
    })().catch(() => undefined);
  }

  #lastWords(end: string): string {
    return this.#failure ?? `it ended (${end}); ${this.#lastLines()}`;
  }

  #lastLines(): string {
    const said = this.stderr().trim().split('\n').slice(-3).join(' / ');
    return said === '' ? 'nothing on stderr' : `on stderr: ${said}`;
  }
}

function spawnInto(
  { command, env, instance }: Order,
  folder: string,
  [out, err]: readonly [number, number],
): ChildProcess {
  const [program = '', ...args] = command;
  return spawn(program, args, {
    cwd: '/',
    detached: true,
    stdio: ['ignore', out, err],
    env: {
      TMPDIR: folder,
      [ENV_SOCKET_DIR]: folder,
      [ENV_PROTOCOL_VERSIONS]: '1',
      [ENV_INSTANCE]: instance,
      [COOKIE_KEY]: COOKIE_VALUE,
      ...env,
    },
  });
}

function notStarted(program: string | undefined, error: Error): string {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ENOENT')
    return `it cannot be started: there is no program '${program}', or not what its first line names`;
  if (code === 'EACCES')
    return `it cannot be started: '${program}' is no file that may be executed`;
  return `it cannot be started: ${messageOf(error)}`;
}

/** Of a file of whatever size. */
function readPart(file: string, from: (size: number) => number): string {
  const fd = openSync(file, 'r');
  try {
    const part = Buffer.alloc(SHOWN_BYTES);
    const length = readSync(fd, part, 0, SHOWN_BYTES, from(fstatSync(fd).size));
    return part.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}

/** Opened for appending: what a plugin floods is thrown away, and it does not notice. */
function bound(fds: readonly number[]): void {
  for (const fd of fds) if (fstatSync(fd).size > OUTPUT_BYTES) ftruncateSync(fd, 0);
}
