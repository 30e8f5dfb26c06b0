/** The bench of one rule: its folders, the plugin's processes, and the end of all of them. */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeFolder } from '../../adapters/durable/folders.ts';
import type { Processes } from '../../adapters/processes/port.ts';
import type { Capabilities } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import { PluginProcess } from './plugin-process.ts';
import { killStrays, straysOf } from './strays.ts';
import type { Subject } from './subject.ts';
import {
  NotApplicable,
  type Bench,
  type BenchFolders,
  type Plugin,
  type SampleName,
  type Samples,
  type SpawnOptions,
  type Spec,
  type SpecChanges,
} from './types.ts';
import { until } from './wait.ts';

const REMOVE_MS = 10_000;
const GRACE_MS = 10_000;

export class SuiteBench implements Bench {
  readonly folders: BenchFolders;
  readonly slow: boolean;
  readonly #subject: Subject;
  readonly #processes: Processes;
  readonly #plugins: PluginProcess[] = [];
  readonly #abort = new AbortController();
  readonly #instanceId = `i-${randomUUID()}`;
  #plugin: Plugin | undefined;
  #capabilities: Capabilities | undefined;
  /** Runs, or a mark of its own in an engine. */
  #hasTraces = false;
  #closed: Promise<readonly string[]> | undefined;

  constructor(root: string, subject: Subject, processes: Processes) {
    this.#subject = subject;
    this.#processes = processes;
    this.slow = subject.slow;
    this.folders = {
      ...{ root, runs: join(root, 'runs'), logs: join(root, 'logs') },
      ...{ state: join(root, 'state'), sockets: join(root, 's') },
    };
    for (const folder of Object.values(this.folders))
      mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Starts the first process. */
  async open(): Promise<void> {
    const plugin = await this.spawn();
    this.#plugin = plugin;
    const { capabilities, engineId } = await plugin.calls.info({});
    this.#capabilities = capabilities;
    this.#hasTraces = engineId !== '';
  }

  get plugin(): Plugin {
    if (this.#plugin === undefined) throw new Error('the bench is not open');
    return this.#plugin;
  }

  get capabilities(): Capabilities {
    if (this.#capabilities === undefined) throw new NotApplicable('Info tells no capabilities');
    return this.#capabilities;
  }

  get samples(): Samples {
    return this.#subject.samples;
  }

  get config(): unknown {
    return this.#subject.config;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  // What a rule may take out of a bench is bound to it.
  readonly spawn = async (options: SpawnOptions = {}): Promise<PluginProcess> => {
    const { configure = true, env = {} } = options;
    this.signal.throwIfAborted();
    const plugin = this.launch(env);
    await plugin.ready();
    if (configure) await plugin.configure();
    return plugin;
  };

  readonly launch = (changes: SpawnOptions['env'] = {}): PluginProcess => {
    const { command, env, config } = this.#subject;
    const plugin = new PluginProcess({
      ...{ command, config, folders: this.folders },
      env: { ...env, ...changes },
      instance: `conformance-${randomUUID()}`,
      nodeId: 'n-conformance',
      instanceId: this.#instanceId,
    });
    this.#plugins.push(plugin);
    return plugin;
  };

  readonly spec = (sample: SampleName, changes: SpecChanges = {}): Spec => {
    const params = this.samples[sample];
    if (params === undefined) throw new NotApplicable(`no sample '${sample}'`);
    this.#hasTraces = true;
    const { mounts, network } = this.#subject;
    return {
      key: { executionId: changes.executionId ?? `e-${randomUUID()}`, run: changes.run ?? 0 },
      specHash: changes.specHash ?? 'conformance-1',
      ...{ jobId: 'j-conformance', jobName: 'conformance', kind: 'batch' },
      ...{ owner: 'requester-conformance', token: '1.0.0' },
      paramsJson: JSON.stringify(params),
      env: changes.env ?? {},
      mounts: [...mounts],
      limits: {},
      network,
      deadlineMs: BigInt(changes.deadlineMs ?? 0),
      digest: '',
      stopGraceMs: changes.stopGraceMs ?? GRACE_MS,
    };
  };

  readonly processes = () => straysOf(this.folders.root, this.#processes);

  /** Removes the runs, ends the plugins, kills what is left, deletes the folders. Answers what could not be undone. */
  close(): Promise<readonly string[]> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<readonly string[]> {
    this.#abort.abort();
    if (this.#hasTraces) await this.#removeTraces().catch(() => undefined);
    for (const plugin of this.#plugins) plugin.destroy();
    const left = await killStrays(this.folders.root, this.#processes);
    await removeFolder(this.folders.root).catch(() => undefined);
    return left.map(({ pid, command }) => `process ${pid} (${command})`);
  }

  /** What an engine holds outlives every process: only the plugin can remove it. */
  async #removeTraces(): Promise<void> {
    const live = this.#plugins.findLast((one) => one.isAlive);
    const removed = live === undefined ? undefined : this.#removeBy(live);
    const isDone = await removed?.then(
      () => true,
      () => false,
    );
    if (isDone === true) return;
    for (const plugin of this.#plugins) plugin.destroy();
    await this.#removeBy(await this.#undertaker());
  }

  async #removeBy(plugin: Plugin): Promise<void> {
    const bound = { deadlineMs: REMOVE_MS };
    const { runs } = await plugin.calls.list({}, bound);
    const keys = runs.map(({ key }) => key).filter((key) => key !== undefined);
    const removed = keys.map((key) => plugin.calls.remove({ key, withLogs: true }, bound));
    await Promise.allSettled(removed);
    await plugin.calls.leave({ dryRun: false }, bound).catch(() => undefined);
  }

  async #undertaker(): Promise<PluginProcess> {
    const plugin = this.launch();
    await plugin.ready();
    await until('its config', async () => plugin.configure().then(() => true), REMOVE_MS);
    return plugin;
  }
}
