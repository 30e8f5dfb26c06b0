/** An agent's calls to a plugin: a millisecond each way, a deadline, and `plugin-failed` when the plugin goes away. */
import { LimpetError } from '../../core/errors.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { ExecutorClient, RunOrder, RunRef } from '../../agent/plugins/port.ts';
import { forever, type Life } from './life.ts';
import type { PluginProcess } from './plugin.ts';

const HOP_MS = 1;
const DEADLINES = { quickMs: 10_000, listMs: 30_000, startMs: 60_000, removeMs: 60_000 };

export class SimulatedClient implements ExecutorClient {
  readonly name: string;
  /** Anything goes: what a schema refuses is tested elsewhere. */
  readonly paramsSchema = true;
  readonly #plugin: PluginProcess;
  readonly #life: Life;
  readonly #world: Clock;

  /** `life` is the agent's; what is under way when it ends is carried out all the same. */
  constructor(name: string, plugin: PluginProcess, { life, world }: { life: Life; world: Clock }) {
    this.name = name;
    this.#plugin = plugin;
    this.#life = life;
    this.#world = world;
  }

  async prepare(): Promise<string> {
    await this.#call(DEADLINES.startMs, () => Promise.resolve());
    return 'digest';
  }

  start(order: RunOrder): ReturnType<ExecutorClient['start']> {
    return this.#call(DEADLINES.startMs, () => this.#plugin.start(order));
  }

  recover(ref: RunRef): Promise<ObservedRun> {
    return this.#look(ref, DEADLINES.listMs, () => this.#plugin.recover(ref));
  }

  status(ref: RunRef): Promise<ObservedRun> {
    return this.#look(ref, DEADLINES.quickMs, () => this.#plugin.status(ref));
  }

  async list(): ReturnType<ExecutorClient['list']> {
    const runs = await this.#call(DEADLINES.listMs, () => this.#plugin.list());
    return { runs, engineId: '', engineChanged: false };
  }

  /** There is one engine, always the same. */
  leave(): ReturnType<ExecutorClient['leave']> {
    return Promise.resolve([]);
  }

  acceptEngine(): ReturnType<ExecutorClient['acceptEngine']> {
    return Promise.reject(new LimpetError('unimplemented', 'one engine, always the same'));
  }

  stop(ref: RunRef, order: Parameters<ExecutorClient['stop']>[1]): Promise<void> {
    return this.#call(DEADLINES.quickMs, () => this.#plugin.stop(ref, order));
  }

  renew(): Promise<void> {
    return Promise.resolve();
  }

  remove(ref: RunRef): Promise<void> {
    return this.#call(DEADLINES.removeMs, () => this.#plugin.remove(ref));
  }

  async *logs(): ReturnType<ExecutorClient['logs']> {
    await this.#call(DEADLINES.quickMs, () => Promise.resolve());
  }

  async #look(
    ref: RunRef,
    deadlineMs: number,
    work: () => Promise<ObservedRun>,
  ): Promise<ObservedRun> {
    try {
      return await this.#call(deadlineMs, work);
    } catch (thrown) {
      if (LimpetError.from(thrown).code !== 'not-found') throw thrown;
      return { ...ref, phase: 'absent', marked: false, sameBoot: false, ours: true };
    }
  }

  #call<T>(deadlineMs: number, work: () => Promise<T>): Promise<T> {
    if (!this.#life.alive) return forever();
    return new Promise((resolve, reject) => {
      const later = (how: () => void): void => void this.#life.after(HOP_MS, how);
      const deadline = this.#life.after(deadlineMs, () =>
        reject(new LimpetError('timeout', `plugin ${this.name} did not answer`)),
      );
      const leave = this.#plugin.life.onEnd(() =>
        later(() => reject(new LimpetError('plugin-failed', `plugin ${this.name} went away`))),
      );
      const settle = (how: () => void): void => {
        deadline.cancel();
        leave();
        later(how);
      };
      this.#world.after(HOP_MS, () => {
        if (!this.#plugin.life.alive) return;
        this.#plugin.life.gate(work()).then(
          (value) => settle(() => resolve(value)),
          (thrown: unknown) => settle(() => reject(LimpetError.from(thrown))),
        );
      });
    });
  }
}
