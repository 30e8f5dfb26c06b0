/**
 * The agent's plugin host over simulated plugin processes: intent, spawn, reattach record, ready; lost, back-off, anew (as
 * `agent/plugins/launch.ts`, `acquire.ts` and `supervisor.ts` do it over real ones).
 */
import { backoffMs } from '../../core/backoff.ts';
import { LimpetError } from '../../core/errors.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';
import type { Faults } from '../../adapters/faults/port.ts';
import type { Store } from '../../adapters/store/port.ts';
import type {
  ExecutorClient,
  ExecutorHealth,
  PluginHost,
  PluginHostEvents,
  SeenEnd,
} from '../../agent/plugins/port.ts';
import { SimulatedClient } from './client.ts';
import { forever, type Life } from './life.ts';
import type { Flavour, Node } from './node.ts';
import type { PluginProcess } from './plugin.ts';

/** The plugin processes of the host, by executor; at most one of each. */
export interface PluginTable {
  get(name: Flavour): PluginProcess | undefined;
  spawn(name: Flavour, instance: string): PluginProcess;
}

export interface HostParts {
  readonly store: Store;
  readonly life: Life;
  readonly world: Life;
  readonly faults: Faults;
  readonly plugins: PluginTable;
  readonly node: Node;
  readonly mint: () => string;
}

const HANDSHAKE_MS = 40;
const FINGERPRINT_MS = 10;
const NOTICED_MS = 20;
const RESTART = { firstMs: 500, lastMs: 60_000 };
const NAMES: readonly Flavour[] = ['held', 'boxed'];

interface Supervised {
  readonly name: Flavour;
  client?: ExecutorClient;
  generation: number;
  restarts: number;
  failures: number;
  state: 'starting' | 'ready' | 'backoff';
  told: boolean;
  healthy: boolean;
}

export class SimulatedHost implements PluginHost {
  readonly #parts: HostParts;
  readonly #all: readonly Supervised[];

  constructor(parts: HostParts) {
    this.#parts = parts;
    this.#all = NAMES.map((name) => ({
      name,
      ...{ generation: 0, restarts: 0, failures: 0 },
      ...{ state: 'starting' as const, told: false, healthy: false },
    }));
  }

  start(events: PluginHostEvents): void {
    for (const one of this.#all) void this.#supervise(one, events);
  }

  client(name: string): ExecutorClient | undefined {
    return this.#all.find((one) => one.name === name)?.client;
  }

  health(): readonly ExecutorHealth[] {
    return this.#all.map(({ name, state, told, healthy, restarts }) => ({
      name,
      health: state === 'ready' && told && healthy ? 'healthy' : 'unhealthy',
      reason: state === 'ready' && healthy ? '' : state,
      pending: state === 'starting' || (state === 'ready' && !told),
      version: '1',
      attributes: {},
      freeSlots: 0,
      restarts,
    }));
  }

  /** The engine behind the boxed executor went or came back: its fingerprint tells. */
  fingerprint(events: PluginHostEvents): void {
    for (const one of this.#all) {
      const before = one.healthy;
      one.healthy = one.name === 'held' || !this.#parts.node.engineAway;
      if (one.state !== 'ready' || !one.told || before === one.healthy) continue;
      this.#tell(one, events);
      if (one.healthy) events.wake(one.name, undefined);
    }
  }

  detach(): Promise<void> {
    return Promise.resolve();
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }

  async #supervise(one: Supervised, events: PluginHostEvents): Promise<void> {
    const { life } = this.#parts;
    let process = await this.#reattach(one);
    for (;;) {
      try {
        process ??= await this.#launch(one);
        await this.#oneLife(one, process, events);
      } catch (thrown) {
        if (LimpetError.from(thrown).code === 'internal') throw thrown;
      }
      process = undefined;
      one.state = 'backoff';
      this.#tell(one, events);
      await life.sleep(backoffMs(RESTART, one.failures));
      one.failures += 1;
      one.restarts += 1;
      one.state = 'starting';
      this.#tell(one, events);
    }
  }

  /** The process that the stored record names, if it lives; by an intent it is found through its environment. */
  async #reattach({ name }: Supervised): Promise<PluginProcess | undefined> {
    const { store, plugins, life } = this.#parts;
    const instance = await store.get(recordKey(name)).catch(() => undefined);
    const process = plugins.get(name);
    if (process === undefined) return undefined;
    await life.sleep(HANDSHAKE_MS);
    if (process.life.alive && process.instance === instance) return process;
    process.life.end();
    return undefined;
  }

  async #launch({ name }: Supervised): Promise<PluginProcess> {
    const { store, plugins, life, mint } = this.#parts;
    const instance = mint();
    await store.batch([{ type: 'put', key: recordKey(name), value: instance }]);
    await this.#reach('agent.plugin.intent-written');
    const process = plugins.spawn(name, instance);
    await this.#reach('agent.plugin.spawned');
    try {
      await life.sleep(HANDSHAKE_MS);
      if (!process.life.alive) throw new LimpetError('plugin-failed', 'it ended at once');
      await store.batch([{ type: 'put', key: recordKey(name), value: instance }]);
    } catch (thrown) {
      process.life.end();
      throw thrown;
    }
    await this.#reach('agent.plugin.reattach-written');
    return process;
  }

  /** Resolves when the process is gone. */
  async #oneLife(one: Supervised, process: PluginProcess, events: PluginHostEvents): Promise<void> {
    const { life, world } = this.#parts;
    const client = new SimulatedClient(one.name, process, { life, world });
    const leave = process.events((ref, seen) => {
      const end = seen?.phase === 'exited' ? endOf(one.name, seen) : undefined;
      life.after(1, () => events.wake(one.name, ref, end));
    });
    life.onEnd(leave);
    one.client = client;
    one.generation += 1;
    one.state = 'ready';
    one.told = false;
    this.#tell(one, events);
    events.ready(one.name, client, one.generation);
    life.after(FINGERPRINT_MS, () => {
      one.told = true;
      one.healthy = one.name === 'held' || !this.#parts.node.engineAway;
      this.#tell(one, events);
    });
    await new Promise<void>((gone) => process.life.onEnd(() => void life.after(NOTICED_MS, gone)));
    leave();
    delete one.client;
    events.lost(one.name, 'it ended');
  }

  #tell(one: Supervised, events: PluginHostEvents): void {
    const health = this.health().find(({ name }) => name === one.name);
    if (health !== undefined) events.health(health);
  }

  async #reach(point: Parameters<Faults['reach']>[0]): Promise<void> {
    this.#parts.faults.reach(point);
    if (!this.#parts.life.alive) await forever();
  }
}

function recordKey(name: string): string {
  return `plugin/${name}`;
}

/** With its log, which is empty, or, as if it were long, without. */
function endOf(executor: string, seen: ObservedRun): SeenEnd {
  return executor === 'held' ? { seen, log: [] } : { seen };
}
