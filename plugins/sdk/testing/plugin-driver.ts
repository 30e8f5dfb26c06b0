/**
 * A small host for one plugin program, as an agent is: spawned detached over the go-plugin handshake, killed by pid, spawned
 * again on the same folders. It speaks the messages of the wire; `scripted-agent.ts` has plain ones for authors.
 */
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import {
  Executor,
  LogsResponse_Stream,
  type RunState,
} from '../../proto/gen/limpet/executor/v1/executor_pb.js';
import { GRPCController } from '../../proto/gen/plugin/plugin_pb.js';
import { client, connect, type Client, type Connection } from '../../proto/grpc.ts';
import {
  COOKIE_KEY,
  COOKIE_VALUE,
  dialTarget,
  ENV_INSTANCE,
  ENV_PROTOCOL_VERSIONS,
  ENV_SOCKET_DIR,
  parseHandshake,
} from '../../proto/handshake.ts';
import { eventually } from './eventually.ts';
import { wireKey, wireSpec, type TestRun, type TestRunKey } from './run.ts';

export interface DriverOptions {
  /** Program and arguments. */
  readonly command: readonly string[];
  /** The working folder of the plugin; this process's own when missing. */
  readonly cwd?: string;
  readonly config?: unknown;
  /** Beside PATH, HOME and what the handshake needs. */
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeId?: string;
  readonly instanceId?: string;
  /** Part of the instance id, when two plugins share a folder. */
  readonly name?: string;
  /** False: Configure is the test's own business. */
  readonly configure?: boolean;
}

type Methods = typeof Executor extends { method: infer M } ? M : never;

export class PluginDriver {
  readonly folder: string;
  readonly #options: DriverOptions;
  #spawned = 0;
  #child: ChildProcess | undefined;
  #link: Connection | undefined;

  constructor(folder: string, options: DriverOptions) {
    this.folder = folder;
    this.#options = options;
    for (const name of ['runs', 'logs', 'state', 's', 'out'])
      mkdirSync(join(folder, name), { recursive: true });
  }

  /** Of the live plugin, or of the last one. */
  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('the plugin was never started');
    return this.#child.pid;
  }

  get isAlive(): boolean {
    return this.#child !== undefined && isRunning(this.#child);
  }

  get instance(): string {
    return `${this.#options.name ?? 'test'}-${this.#spawned}`;
  }

  /** Typed calls of the live plugin. */
  get calls(): Client<Methods> {
    return client(Executor, this.#connection());
  }

  /** What the live plugin has written to stderr. */
  get stderr(): string {
    return readFileSync(this.#outFile('err'), 'utf8');
  }

  runFolder({ executionId, run = 0 }: TestRunKey): string {
    return join(this.folder, 'runs', executionId, String(run));
  }

  /** Starts a (new) plugin process and configures it; `env` is laid over the options'. */
  async respawn(env: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#link?.close();
    this.#spawned += 1;
    const out = this.#outFile('out');
    const child = this.#spawn({ ...this.#options.env, ...env });
    child.once('error', () => undefined);
    this.#child = child;
    const line = await eventually(
      `the handshake of ${this.#options.command.join(' ')}`,
      () => {
        if (!isRunning(child)) throw new Error(`it ended: ${this.stderr}`);
        return /^.*\n/.exec(readFileSync(out, 'utf8'))?.[0];
      },
      20_000,
    );
    this.#link = connect(dialTarget(parseHandshake(line)));
    if (this.#options.configure !== false) await this.configure();
  }

  async configure(config: unknown = this.#options.config ?? {}): Promise<void> {
    const { nodeId = 'n-test', instanceId = 'i-test' } = this.#options;
    await this.calls.configure({
      configJson: JSON.stringify(config),
      nodeId,
      instanceId,
      runsDir: join(this.folder, 'runs'),
      logsDir: join(this.folder, 'logs'),
      stateDir: join(this.folder, 'state'),
      socketsDir: join(this.folder, 's'),
    });
  }

  /** SIGKILL; resolves when the process is gone. Its runs go on. */
  async kill9(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.gone();
  }

  /** Controller.Shutdown; resolves when the process is gone. */
  async shutdown(): Promise<void> {
    const asked = client(GRPCController, this.#connection()).shutdown({});
    // Its answer may be cut off by its end.
    await asked.catch(() => undefined);
    await this.gone();
  }

  /** Resolves when the process is gone. */
  async gone(): Promise<void> {
    await eventually('the plugin to be gone', () => !this.isAlive);
    this.#link?.close();
    this.#link = undefined;
  }

  /** Ends the runs that are left, then the plugin. */
  async end(): Promise<void> {
    if (this.isAlive && this.#options.configure !== false)
      for (const { key } of await this.list().catch(() => []))
        if (key !== undefined) await this.remove(key).catch(() => undefined);
    await this.kill9();
  }

  async start(run: TestRun): Promise<{ state: RunState; alreadyRunning: boolean }> {
    const { state, alreadyRunning } = await this.calls.start(
      { spec: wireSpec(run) },
      { deadlineMs: 30_000 },
    );
    if (state === undefined) throw new Error('Start answered no state');
    return { state, alreadyRunning };
  }

  /** The digest of Prepare's last message. */
  async prepare(run: TestRun): Promise<string> {
    let digest = '';
    for await (const message of this.calls.prepare({ spec: wireSpec(run) }, { deadlineMs: 30_000 }))
      if (message.done) digest = message.digest;
    return digest;
  }

  recover(run: TestRunKey): Promise<RunState> {
    return this.calls.recover({ key: wireKey(run) }, { deadlineMs: 30_000 });
  }

  status(run: TestRunKey): Promise<RunState> {
    return this.calls.status({ key: wireKey(run) });
  }

  /** The state once the run has ended, or as it is after `timeoutMs`. */
  wait(run: TestRunKey, timeoutMs = 20_000): Promise<RunState> {
    return this.calls.wait({ key: wireKey(run), timeoutMs }, { deadlineMs: timeoutMs + 5000 });
  }

  async list(): Promise<readonly RunState[]> {
    return (await this.calls.list({})).runs;
  }

  async stop(run: TestRunKey, graceMs = 10_000, reason = 'stopped by the test'): Promise<void> {
    await this.calls.stop({ key: wireKey(run), graceMs, reason, by: 'stop' });
  }

  async remove(run: TestRunKey, withLogs = false): Promise<void> {
    await this.calls.remove({ key: wireKey(run), withLogs }, { deadlineMs: 30_000 });
  }

  /** The log from an offset, until its end with `follow`, as text of stdout and stderr together. */
  async logs(
    { executionId }: Pick<TestRun, 'executionId'>,
    { from = 0, follow = false, tail = 0 } = {},
  ): Promise<{ text: string; stdout: string; stderr: string; end: boolean; next: number }> {
    const parts = { text: '', stdout: '', stderr: '' };
    let end = false;
    let next = from;
    const request = { executionId, fromOffset: BigInt(from), follow, tailLines: tail };
    for await (const piece of this.calls.logs(request, { deadlineMs: 30_000 })) {
      for (const { data, stream } of piece.frames) {
        const text = Buffer.from(data).toString('latin1');
        parts.text += text;
        if (stream === LogsResponse_Stream.STDOUT) parts.stdout += text;
        if (stream === LogsResponse_Stream.STDERR) parts.stderr += text;
      }
      end = piece.end;
      next = Number(piece.nextOffset);
    }
    return { ...parts, end, next };
  }

  #connection(): Connection {
    if (this.#link === undefined) throw new Error('the plugin is not running');
    return this.#link;
  }

  #outFile(kind: 'out' | 'err'): string {
    return join(this.folder, 'out', `${this.instance}.${kind}`);
  }

  /** stdout and stderr are files, never pipes, so that the plugin outlives this process. */
  #spawn(env: Readonly<Record<string, string>>): ChildProcess {
    const [program = '', ...args] = this.#options.command;
    const stdout = openSync(this.#outFile('out'), 'w');
    const stderr = openSync(this.#outFile('err'), 'w');
    try {
      return spawn(program, args, {
        ...(this.#options.cwd === undefined ? {} : { cwd: this.#options.cwd }),
        detached: true,
        stdio: ['ignore', stdout, stderr],
        env: {
          PATH: process.env['PATH'] ?? '',
          HOME: process.env['HOME'] ?? '/',
          [COOKIE_KEY]: COOKIE_VALUE,
          [ENV_PROTOCOL_VERSIONS]: '1',
          [ENV_SOCKET_DIR]: join(this.folder, 's'),
          [ENV_INSTANCE]: this.instance,
          ...env,
        },
      });
    } finally {
      closeSync(stdout);
      closeSync(stderr);
    }
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}
