/**
 * Carries out recorded orders: signal, grace, KILL. The order is a file in the run folder, so that another instance of this
 * plugin goes on with it where this one died; the grace counts from when the order was recorded.
 */
import { constants } from 'node:os';
import { pause, readOrder, type PluginLog, type RecordedOrder } from '../../plugins/sdk/index.ts';
import { isAway, statusOf } from './engine-error.ts';
import type { Container, Engine } from './engine.ts';
import { backoffMs } from './backoff.ts';
import { takesSignals } from './takes-signals.ts';

const LOOK_MS = 250;
const STARTING_LOOK_MS = 25;

/** A run's container and its folder. */
export interface Held {
  readonly name: string;
  readonly folder: string;
  /** undefined: it is gone. LimpetError `unavailable`: its engine is away, or another one answers. */
  look(): Promise<Container | undefined>;
}

function signalName(order: RecordedOrder, container: Container): string {
  const found = Object.entries(constants.signals).find(([, n]) => n === order.signalNumber);
  const asked = found?.[0] ?? 'SIGTERM';
  // The default gives way to what the image or the job names.
  return asked === 'SIGTERM' ? (container.stopSignal ?? asked) : asked;
}

export class Stopper {
  readonly #engine: Engine;
  readonly #log: PluginLog;
  /** By container name; `again`: an order may have come after the folder was read. */
  readonly #running = new Map<string, { again: boolean }>();

  constructor(engine: Engine, log: PluginLog) {
    this.#engine = engine;
    this.#log = log;
  }

  /** Begins to carry out the order of this folder, if there is one. Repeatable. Gives up with the signal. */
  arm(held: Held, signal: AbortSignal): void {
    const { name } = held;
    const present = this.#running.get(name);
    if (present !== undefined) {
      present.again = true;
      return;
    }
    const task = { again: true };
    this.#running.set(name, task);
    void this.#repeat(held, task, signal).finally(() => this.#running.delete(name));
  }

  async #repeat(held: Held, task: { again: boolean }, signal: AbortSignal): Promise<void> {
    while (task.again && !signal.aborted) {
      task.again = false;
      try {
        await this.#carryOut(held, signal);
      } catch (thrown) {
        this.#log.error('stop.failed', { container: held.name, error: thrown });
      }
    }
  }

  async #carryOut(held: Held, signal: AbortSignal): Promise<void> {
    const { name, folder } = held;
    let asked = false;
    let attempt = 0;
    while (!signal.aborted) {
      try {
        // Read each time: a later order may have brought the KILL nearer.
        const order = await readOrder(folder);
        if (order === undefined) return;
        const killAt = order.at + order.graceMs;
        const container = await held.look();
        if (
          container === undefined ||
          !['running', 'paused', 'restarting'].includes(container.status)
        )
          return;
        const late = Date.now() >= killAt;
        if (!late && !asked && !(await takesSignals(this.#engine, container))) {
          await pause(STARTING_LOOK_MS, signal);
          continue;
        }
        if (late || !asked)
          await this.#kill(container.id, late ? 'SIGKILL' : signalName(order, container));
        asked = true;
        attempt = 0;
        const untilKill = killAt - Date.now();
        await pause(untilKill > 0 ? Math.min(untilKill, LOOK_MS) : LOOK_MS, signal);
      } catch (thrown) {
        if (!isAway(thrown)) this.#log.warn('stop.retry', { container: name, error: thrown });
        await pause(backoffMs(attempt++), signal);
      }
    }
  }

  async #kill(id: string, signal: string): Promise<void> {
    try {
      await this.#engine.kill(id, signal);
    } catch (thrown) {
      // Not running any more, or gone.
      if (statusOf(thrown) !== 409 && statusOf(thrown) !== 404) throw thrown;
    }
  }
}
