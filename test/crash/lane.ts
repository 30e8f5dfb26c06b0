/**
 * One cluster with one agent and one executor, whose processes are armed, struck and started again. The plugin is started
 * through `fixtures/plugins/armed.sh`, in the agent's config: nothing in the product hands a crash point on to a plugin.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { z } from 'zod';
import { askAgent } from '../../cli/agent-socket.ts';
import { cleanEngineAtEnd } from '../e2e/containers.ts';
import { startCluster, type Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { distPath } from '../kit/program.ts';
import type { JsonObject, TestAgent } from '../kit/test-agent.ts';
import { isHandover, ownerOf, type CrashCase, type Owner } from './cases.ts';
import type { ExecutorName } from './work.ts';

const ARMED = fileURLToPath(new URL('../../fixtures/plugins/armed.sh', import.meta.url));
const REACH_MS = 30_000;
const PLUGIN_MS = 30_000;

const configSchema = z.looseObject({ plugins: z.array(z.looseObject({})) });
const factSchema = z.looseObject({ reason: z.string(), state: z.string() });

export interface LaneOptions {
  readonly executor: ExecutorName;
  /** Its own config. */
  readonly config?: JsonObject;
  /** Where its containers are to be found, for the executor that has any. */
  readonly engine?: string;
}

export class Lane {
  readonly cluster: Cluster;
  readonly agent: TestAgent;
  readonly executor: ExecutorName;
  readonly engine: string | undefined;
  readonly work: string;
  #jobs = 0;
  #upgrades = 0;

  private constructor(cluster: Cluster, { executor, config = {}, engine }: LaneOptions) {
    this.cluster = cluster;
    this.executor = executor;
    this.engine = engine;
    this.work = join(cluster.folder, 'work');
    mkdirSync(this.work);
    const off = { enabled: false };
    this.agent = cluster.addAgent({
      executors: { docker: off, wasm: off, process: off },
      plugins: [{ name: executor, command: this.#command(), config }],
      allowLocal: [{ path: this.work, writable: true }],
    });
  }

  static async open(t: Test, options: LaneOptions): Promise<Lane> {
    const lane = new Lane(await startCluster(t), options);
    await lane.agent.start();
    if (options.engine !== undefined) cleanEngineAtEnd(t, options.engine, lane.agent.folder);
    return lane;
  }

  /** A folder of its own for the next job, and its name. */
  nextJob(): { readonly name: string; readonly folder: string } {
    const name = `crash-${++this.#jobs}`;
    const folder = join(this.work, name);
    mkdirSync(folder);
    return { name, folder };
  }

  get #armFile(): string {
    return join(this.cluster.folder, 'arm');
  }

  get #program(): string {
    const name = this.executor === 'shell' ? 'fixtures/shell-plugin' : `executor-${this.executor}`;
    return distPath(`${name}.js`);
  }

  #command(): string[] {
    // Below the folder that plugins are started in: by its absolute path it would be part of the program.
    return ['/bin/sh', ARMED, this.#armFile.slice(1), process.execPath, this.#program];
  }

  /** Whether a process with this command line is a plugin of this executor. */
  isPlugin(command: string): boolean {
    return command.includes(this.#program);
  }

  /** Starts the owner of the point anew, so that it will die there, or stand still when somebody else is to die. */
  async arm({ point, passage, victim }: CrashCase): Promise<void> {
    const owner = ownerOf(point);
    const armed = `${point}:${passage}:${owner === victim ? 'kill' : 'stop'}`;
    if (owner === 'requester') {
      await this.cluster.requester.kill();
      await this.cluster.requester.start({ LIMPET_CRASH_AT: armed });
      return;
    }
    await this.agent.kill();
    // A plugin that lives is reattached: neither would it be armed, nor these points be passed.
    if (owner === 'plugin' || point.startsWith('agent.plugin.')) this.#killPlugin();
    if (owner === 'plugin') this.#armPlugin(armed);
    await this.agent.launch(owner === 'agent' ? { LIMPET_CRASH_AT: armed } : {});
  }

  /** Another environment for the plugin is another plugin: its runs are handed over. */
  async upgrade(): Promise<void> {
    const file = `${this.agent.folder}.config.json`;
    const config = configSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    const plugins = config.plugins.map((one) => ({
      ...one,
      passEnv: [`CASE_${++this.#upgrades}`],
    }));
    writeFileSync(file, JSON.stringify({ ...config, plugins }));
    await askAgent(this.agent.folder, 'POST', '/reload');
  }

  /** Waits until the owner has died by its own hand, or stands still. Rejects, saying so, when it does not come to that. */
  async reached({ point, passage, victim }: CrashCase): Promise<void> {
    const owner = ownerOf(point);
    const dies = owner === victim;
    await eventually(
      `${point}:${passage} to be reached`,
      () => (dies ? this.#hasKilledItself(owner) : stateOf(this.#pidOf(owner)) === 'T'),
      REACH_MS,
    );
  }

  /** Kills the victims, and the requester when it is its point. The owner goes on if it is none of them. */
  async strike({ point, victim }: CrashCase): Promise<void> {
    const owner = ownerOf(point);
    if (owner === victim) return;
    if (victim !== 'agent')
      await eventually('a plugin to kill', () => this.#pluginPid(), PLUGIN_MS);
    if (victim !== 'agent') this.#killPlugin();
    if (victim !== 'plugin') await this.agent.kill();
    if (owner === 'requester') await this.cluster.requester.kill();
    else if (victim !== 'both') process.kill(this.#pidOf(owner), 'SIGCONT');
  }

  /** Starts what does not run. */
  async again({ point, victim }: CrashCase): Promise<void> {
    if (ownerOf(point) === 'requester') await this.cluster.startRequester();
    if (victim !== 'plugin') await this.agent.launch();
    if (victim === 'plugin' && isHandover(point)) await this.#upgradeAgain();
    await eventually('a plugin', () => stateOf(this.#pluginPid() ?? NaN), PLUGIN_MS);
    await this.agent.ready();
  }

  /** After a case that went wrong: everything killed and started anew, so that the next has a fair chance. */
  async reset(): Promise<void> {
    await this.agent.kill();
    this.#killPlugin();
    rmSync(this.#armFile, { force: true });
    await this.cluster.requester.kill();
    await this.cluster.startRequester();
    await this.agent.start();
  }

  /** A new version that died is not tried again by itself. */
  async #upgradeAgain(): Promise<void> {
    const path = `/plugins/${this.executor}`;
    await eventually(
      'the other version to be tried again, or to have been taken',
      async () => {
        const { reason, state } = factSchema.parse(await askAgent(this.agent.folder, 'GET', path));
        if (reason.includes('upgrade failed'))
          await askAgent(this.agent.folder, 'POST', `${path}/restart`);
        return state === 'running' && reason === '' && this.#pluginPid() !== undefined;
      },
      PLUGIN_MS,
    );
  }

  #armPlugin(text: string): void {
    rmSync(`${this.#armFile}.armed`, { force: true });
    writeFileSync(`${this.#armFile}.new`, text);
    renameSync(`${this.#armFile}.new`, this.#armFile);
  }

  /** Of the plugin that was started last; undefined when it was killed from here, and before it is started. */
  #pluginPid(): number | undefined {
    return this.#readPid(`${this.#armFile}.pid`);
  }

  #readPid(file: string): number | undefined {
    return existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined;
  }

  /** The file goes too, so that nobody is ever signalled twice. */
  #killPlugin(): void {
    const pid = this.#pluginPid();
    rmSync(`${this.#armFile}.pid`, { force: true });
    if (pid !== undefined && stateOf(pid) !== undefined) process.kill(pid, 'SIGKILL');
  }

  /** Of the process that is armed. */
  #pidOf(owner: Owner): number {
    if (owner === 'agent') return this.agent.program.pid;
    if (owner === 'requester') return this.cluster.requester.program.pid;
    return this.#readPid(`${this.#armFile}.armed`) ?? NaN;
  }

  /** An agent tells how its plugin ended. */
  #hasKilledItself(owner: Owner): boolean {
    if (owner !== 'plugin') return this.agent.program.exit?.signal === 'SIGKILL';
    const pid = `"pid":${this.#pidOf(owner)}`;
    const told = (line: string) => line.includes('was ended by SIGKILL') && line.includes(pid);
    return this.agent.log.split('\n').some(told);
  }
}

/** Of /proc/PID/stat; undefined when it is gone or dead. */
function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
    return state === 'Z' || state === 'X' ? undefined : state;
  } catch {
    return undefined;
  }
}
