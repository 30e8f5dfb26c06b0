/** The plugin host: one supervisor per plugin, and the sweep. */
import { chmodSync, mkdirSync, realpathSync } from 'node:fs';
import { liveView } from '../../core/live-view.ts';
import { LimpetError } from '../../core/errors.ts';
import { executorHealth } from './executor-health.ts';
import { DEFAULT_TIMINGS, type PluginDeps, type PluginHostOptions } from './options.ts';
import type {
  ExecutorClient,
  ExecutorHealth,
  PluginHost,
  PluginHostEvents,
  PluginSpec,
} from './port.ts';
import { checkRunDir, listProcessDirs } from './run-dir.ts';
import { PluginSupervisor } from './supervisor.ts';
import { sweep } from './sweep.ts';

const PLUGIN_NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** Makes the folders that are missing, 0700. Errors: `invalid-config`. */
export function createPluginHost(options: PluginHostOptions): PluginHost {
  const { specs, env = process.env, timings, ...given } = options;
  checkNames(specs);
  const { runDir, configureFacts } = given;
  for (const folder of [runDir, configureFacts.stateDir, configureFacts.socketsDir]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
  }
  const real = realpathSync(runDir);
  checkRunDir(real);
  const over = typeof timings === 'function' ? timings : () => timings;
  const live = liveView(() => ({ ...DEFAULT_TIMINGS, ...over() }));
  const deps = { ...given, runDir: real, env, timings: live };
  return new ProcessPluginHost(specs, deps);
}

function checkNames(specs: readonly PluginSpec[]): void {
  const seen = new Set<string>();
  for (const { name } of specs) {
    if (!PLUGIN_NAME.test(name))
      throw new LimpetError(
        'invalid-config',
        `plugin name '${name}' is not valid; expected a letter, then lower-case letters, digits and dashes`,
      );
    if (seen.has(name))
      throw new LimpetError('invalid-config', `plugin '${name}' is configured twice; give it once`);
    seen.add(name);
  }
}

function notStarted(name: string): ExecutorHealth {
  const supervision = { state: 'starting' } as const;
  return executorHealth({ name, supervision, fingerprint: undefined, version: '', restarts: 0 });
}

class ProcessPluginHost implements PluginHost {
  readonly #specs: readonly PluginSpec[];
  readonly #deps: PluginDeps;
  #supervisors: readonly PluginSupervisor[] = [];
  #sweeping: Promise<void> | undefined;

  constructor(specs: readonly PluginSpec[], deps: PluginDeps) {
    this.#specs = specs;
    this.#deps = deps;
  }

  start(events: PluginHostEvents): void {
    if (this.#sweeping !== undefined) return;
    const found = listProcessDirs(this.#deps.runDir);
    this.#supervisors = this.#specs.map((spec) => new PluginSupervisor(spec, this.#deps, events));
    for (const supervisor of this.#supervisors) supervisor.start();
    this.#sweeping = this.#sweep(found);
  }

  client(name: string): ExecutorClient | undefined {
    return this.#supervisors.find((supervisor) => supervisor.name === name)?.client;
  }

  /** Of every plugin of the config, from the first moment on. */
  health(): readonly ExecutorHealth[] {
    if (this.#sweeping === undefined) return this.#specs.map(({ name }) => notStarted(name));
    return this.#supervisors.map((supervisor) => supervisor.health);
  }

  detach(): Promise<void> {
    return this.#leave((supervisor) => supervisor.detach());
  }

  shutdown(): Promise<void> {
    return this.#leave((supervisor) => supervisor.shutdown());
  }

  /** The clock's timers keep no process alive, and this may be the last thing that the agent does. */
  async #leave(how: (supervisor: PluginSupervisor) => Promise<void>): Promise<void> {
    const alive = setInterval(() => undefined, 1_000);
    try {
      await Promise.all(this.#supervisors.map(how));
      await this.#sweeping;
    } finally {
      clearInterval(alive);
    }
  }

  async #sweep(found: ReturnType<typeof listProcessDirs>): Promise<void> {
    try {
      const names = new Set(this.#specs.map((spec) => spec.name));
      await sweep(await found, names, this.#deps);
    } catch (error) {
      this.#deps.log.warn('plugin.sweep-failed', { error });
    }
  }
}
