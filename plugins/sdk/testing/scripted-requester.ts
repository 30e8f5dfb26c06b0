import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { eventually } from './eventually.ts';

const run = promisify(execFile);

export interface ScriptedRequesterOptions {
  /** The executor's name, which is the engine type of its jobs. */
  readonly name: string;
  /** The plugin: absolute program and arguments. Neither may be writable by others. */
  readonly command: readonly string[];
  /** The plugin's section of the agent's config. */
  readonly config?: unknown;
  /** The program `limpet`; found in PATH when missing. */
  readonly limpet?: string;
}

const READY_MS = 60_000;
const CALL_MS = 120_000;
const MOST_OUTPUT_BYTES = 64 * 1024 * 1024;

const plugins = z.array(z.object({ name: z.string(), pid: z.number().optional() }));
const status = z.object({
  pid: z.number(),
  executors: z.array(z.object({ name: z.string(), health: z.string() })),
});
const described = z.object({ Job: z.object({ State: z.object({ StateType: z.string() }) }) });

/**
 * Starts `limpet dev` with the plugin in a temporary folder: broker, requester and agent as they are, on this host alone.
 * Resolves when the executor is healthy. `end` is to be called whatever becomes of the test. Errors: what `limpet` says;
 * after 60 s without a healthy executor, what the agent says of it.
 */
export async function scriptedRequester(
  options: ScriptedRequesterOptions,
): Promise<ScriptedRequester> {
  const requester = ScriptedRequester.of(options);
  try {
    await requester.begin();
    return requester;
  } catch (thrown) {
    await requester.end();
    throw thrown;
  }
}

/** The whole way by script: it submits jobs of one plugin, reads what becomes of them, and kills agent and plugin. */
export class ScriptedRequester {
  /** LIMPET_DATA of the cluster: `limpet` with it shows everything of it. */
  readonly folder = mkdtempSync(join(tmpdir(), 'limpet-dev-'));
  readonly #options: ScriptedRequesterOptions;

  private constructor(options: ScriptedRequesterOptions) {
    this.#options = options;
  }

  /** Without a cluster yet: `begin` starts it. */
  static of(options: ScriptedRequesterOptions): ScriptedRequester {
    return new ScriptedRequester(options);
  }

  async begin(): Promise<void> {
    const { name, command, config = {} } = this.#options;
    const file = join(this.folder, 'plugin.json');
    const executors = { docker: { enabled: false }, wasm: { enabled: false } };
    writeFileSync(file, JSON.stringify({ executors, plugins: [{ name, command, config }] }));
    await this.#limpet('dev', '--detach', '--agent-config', file);
    await eventually(
      `executor ${name} to be healthy`,
      async () => {
        const found = (await this.#status()).executors.find((one) => one.name === name);
        if (found?.health !== 'healthy') throw new Error(JSON.stringify(found));
        return true;
      },
      READY_MS,
    );
  }

  /** A job of one task with these params; answers its id. Params that the schema does not take throw. */
  async submit(params: unknown): Promise<string> {
    const { name } = this.#options;
    const file = join(this.folder, 'job.json');
    const task = { Name: 'main', Engine: { Type: name, Params: params } };
    const job = { Name: `${name}-test`, Type: 'batch', Count: 1, Tasks: [task] };
    writeFileSync(file, JSON.stringify(job));
    return (await this.#limpet('job', 'run', '--id-only', file)).trim();
  }

  /** stdout of the job so far; with `follow` when it has ended. */
  logs(job: string, { follow = false } = {}): Promise<string> {
    return this.#limpet('job', 'logs', ...(follow ? ['--follow'] : []), job);
  }

  /** Of the job: `Pending`, `Running`, `Completed`, `Failed`, `Stopped`, ... */
  async state(job: string): Promise<string> {
    const answer: unknown = JSON.parse(await this.#limpet('job', 'describe', job, '-o', 'json'));
    return described.parse(answer).Job.State.StateType;
  }

  async stop(job: string): Promise<void> {
    await this.#limpet('job', 'stop', job);
  }

  /** SIGKILL. The cluster starts an agent again, the agent a plugin; runs go on. */
  async kill9(which: 'agent' | 'plugin'): Promise<void> {
    const pid = which === 'agent' ? (await this.#status()).pid : await this.#pluginPid();
    process.kill(pid, 'SIGKILL');
  }

  /** Ends what runs, the plugin and the cluster, and deletes the folder. Twice is the same as once. */
  async end(): Promise<void> {
    await this.#limpet('dev', '--stop').catch(() => undefined);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  async #status() {
    return status.parse(JSON.parse(await this.#limpet('agent', 'status', '-o', 'json')));
  }

  async #pluginPid(): Promise<number> {
    const all = plugins.parse(JSON.parse(await this.#limpet('plugin', 'list', '-o', 'json')));
    const pid = all.find((one) => one.name === this.#options.name)?.pid;
    if (pid === undefined) throw new Error('the plugin has no process now');
    return pid;
  }

  /** stdout. Throws with what it says on stderr. */
  async #limpet(...args: string[]): Promise<string> {
    const { limpet = 'limpet' } = this.#options;
    const program = limpet.includes('/') ? resolve(limpet) : limpet;
    const { LIMPET_API: _api, LIMPET_TOKEN: _token, ...env } = process.env;
    const { stdout } = await run(program, args, {
      env: { ...env, LIMPET_DATA: this.folder },
      timeout: CALL_MS,
      maxBuffer: MOST_OUTPUT_BYTES,
    });
    return stdout;
  }
}
