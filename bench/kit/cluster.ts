/**
 * What is measured: the built programs, as an operator runs them. `limpet dev` keeps broker and requester; the agent is
 * started from here, so that it can be killed. All in a folder of its own, which is removed at the end.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentStatus } from '../../agent/api/status.ts';
import { AGENT_FLAGS } from '../../core/node-flags.ts';
import { until } from './until.ts';
import { Jobs } from './jobs.ts';

export interface ClusterOptions {
  /** Of the built-in executors; all that this machine can run unless told otherwise. */
  readonly executors?: readonly string[];
  /** Laid over the agent's config. */
  readonly agent?: Readonly<Record<string, unknown>>;
  /** Further plugins, as in the agent's config. */
  readonly plugins?: readonly { readonly name: string; readonly command: readonly string[] }[];
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const READY_MS = 30_000;
/** Hundreds of runs may have to end first. */
const END_MS = 300_000;

/** The Docker engine that `npm run bench` has found; undefined when there is none. */
export const engineHost = process.env['LIMPET_BENCH_DOCKER'];

export class Cluster {
  readonly #folder: string;
  readonly #options: ClusterOptions;
  #agent: ChildProcess | undefined;
  #jobs: Jobs | undefined;

  private constructor(folder: string, options: ClusterOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /** Broker, requester and a ready agent. */
  static async open(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(mkdtempSync(join(tmpdir(), 'limpet-bench-')), options);
    try {
      await cluster.#limpet('dev', '--detach', '--no-agent');
      cluster.#jobs = new Jobs(join(cluster.#folder, 'requester'));
      await cluster.startAgent();
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  get jobs(): Jobs {
    if (this.#jobs === undefined) throw new Error('the cluster is not open');
    return this.#jobs;
  }

  get folder(): string {
    return this.#folder;
  }

  get agentFolder(): string {
    return join(this.#folder, 'agent');
  }

  get agentPid(): number {
    return this.#agent?.pid ?? 0;
  }

  get requesterPid(): number {
    const file = join(this.#folder, 'requester/endpoint.json');
    return Number(JSON.parse(readFileSync(file, 'utf8')).pid);
  }

  /** Resolves when it is linked and every executor is recovered and healthy. */
  async startAgent(): Promise<AgentStatus> {
    rmSync(join(this.agentFolder, 'agent.json'), { force: true });
    const log = openSync(join(this.#folder, 'agent.log'), 'a');
    const args = [...AGENT_FLAGS, join(root, 'dist/agent.js'), '--config', this.#writeConfig()];
    this.#agent = spawn(process.execPath, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    return until('the agent to be ready', READY_MS, async () => {
      if (this.#agent?.exitCode !== null) throw new Error(`the agent ended: ${this.#lastWords()}`);
      const status = await this.status().catch(() => undefined);
      const ready = status?.readyMs !== undefined && status.link.state === 'linked';
      return ready && status.executors.every((e) => e.health === 'healthy') ? status : undefined;
    });
  }

  /** GET /status of the agent. */
  async status(): Promise<AgentStatus> {
    return (await this.#ask('GET', '/status')) as AgentStatus;
  }

  /** SIGKILL; plugins and runs go on. */
  async killAgent(): Promise<void> {
    this.#agent?.kill('SIGKILL');
    await this.#agentGone();
  }

  /** Ends runs, plugins and agent; the store stays. */
  async endAgent(): Promise<void> {
    await this.#ask('POST', '/stop', { mode: 'kill' });
    await this.#agentGone();
  }

  async close(): Promise<void> {
    this.#jobs?.close();
    try {
      if (this.#agent?.exitCode === null) await this.endAgent();
    } catch (error) {
      process.stderr.write(`the agent was killed, plugins may stay behind: ${String(error)}\n`);
      await this.killAgent();
    } finally {
      await this.#limpet('dev', '--stop');
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  async #agentGone(): Promise<void> {
    const agent = this.#agent;
    await until('the agent to end', END_MS, async () =>
      agent?.exitCode === null && agent.signalCode === null ? undefined : true,
    );
    this.#agent = undefined;
  }

  #writeConfig(): string {
    const file = join(this.#folder, 'bench-agent.config.json');
    const { nats } = JSON.parse(readFileSync(join(this.#folder, 'agent.config.json'), 'utf8'));
    const names = this.#options.executors ?? ['docker', 'wasm', 'process'];
    const enabled = (name: string): boolean => names.includes(name);
    const docker = { enabled: enabled('docker') && engineHost !== undefined };
    const executors = {
      docker: { ...docker, config: { pullPolicy: 'never', host: engineHost } },
      wasm: { enabled: enabled('wasm') },
      process: { enabled: enabled('process') },
    };
    const config = {
      dataDir: this.agentFolder,
      name: 'bench',
      nats,
      executors,
      plugins: this.#options.plugins ?? [],
      capacity: { CPU: '64' },
      ...this.#options.agent,
    };
    writeFileSync(file, JSON.stringify(config));
    return file;
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const { socket } = JSON.parse(readFileSync(join(this.agentFolder, 'agent.json'), 'utf8'));
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      // A connection of its own: one that was kept open may be closed by now.
      const options = {
        socketPath: socket,
        method,
        path,
        headers,
        timeout: READY_MS,
        agent: false,
      };
      const call = request(options, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        answer.on('end', () => {
          resolve(JSON.parse(text));
        });
      });
      call.on('error', reject);
      call.end(body === undefined ? '' : JSON.stringify(body));
    });
  }

  async #limpet(...args: readonly string[]): Promise<void> {
    const env = { ...process.env, LIMPET_DATA: this.#folder };
    const child = spawn(join(root, 'bin/limpet'), args, { env, stdio: ['ignore', 'ignore', 2] });
    const code = await new Promise((resolve) => child.once('exit', resolve));
    if (code !== 0) throw new Error(`limpet ${args.join(' ')} ended with code ${String(code)}`);
  }

  #lastWords(): string {
    return readFileSync(join(this.#folder, 'agent.log'), 'utf8').split('\n').slice(-10).join('\n');
  }
}
