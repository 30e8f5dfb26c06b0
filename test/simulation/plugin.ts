/**
 * An executor plugin as a program of its own: the calls of the SDK (`plugins/sdk/run-calls.ts`, `run-table.ts`), step by step,
 * over the simulated host. A call that has arrived is carried out to its end, whoever waits for the answer.
 */
import { LimpetError } from '../../core/errors.ts';
import type { CrashPoint } from '../../core/crash-points.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';
import type { RunOrder, RunRef } from '../../agent/plugins/port.ts';
import { keyOf } from './ledger.ts';
import { forever, type Life } from './life.ts';
import type { Box, StopOrder } from './node.ts';
import { observe } from './observe.ts';
import { Supervision, type PluginParts } from './supervision.ts';

/** Which run rang, and how it looked then. */
type Listener = (ref: RunRef, seen: ObservedRun | undefined) => void;

const CLAIM_POLL_MS = 5;
const REMOVE_POLL_MS = 250;

export class PluginProcess {
  readonly instance: string;
  readonly life: Life;
  readonly #parts: PluginParts;
  readonly #mailboxes = new Map<string, Promise<unknown>>();
  readonly #wakes = new Set<Listener>();
  readonly #table: Supervision;

  constructor(parts: PluginParts) {
    this.instance = parts.instance;
    this.life = parts.life;
    this.#parts = parts;
    this.#table = new Supervision(parts, {
      reach: (point) => this.#reach(point),
      wake: (ref) => {
        const box = parts.node.find(ref);
        const seen = box === undefined ? undefined : this.#table.reported(box);
        for (const listener of [...this.#wakes]) listener(ref, seen);
      },
    });
  }

  /** The event stream of one agent. */
  events(listener: Listener): () => void {
    this.#wakes.add(listener);
    return () => this.#wakes.delete(listener);
  }

  start(order: RunOrder): Promise<{ observed: ObservedRun; alreadyRunning: boolean }> {
    return this.#serial(order.ref, async () => {
      const { node } = this.#parts;
      const box = await this.#accept(order);
      const before = observe(node, box);
      const there = before.phase === 'running' || before.phase === 'paused';
      if (there || before.phase === 'exited')
        return { observed: await this.#adopt(box), alreadyRunning: there };
      if (before.phase === 'unobservable')
        throw new LimpetError('unavailable', 'the engine cannot be asked about this run now');
      if (before.phase === 'removing' || (before.phase === 'absent' && before.marked))
        return { observed: before, alreadyRunning: false };
      await this.#reach('plugin.start.before');
      await this.#launch(box);
      await this.#reach('plugin.start.launched');
      void this.#table.supervise(box);
      return { observed: this.#table.reported(box), alreadyRunning: false };
    });
  }

  recover(ref: RunRef): Promise<ObservedRun> {
    return this.#serial(ref, async () => {
      const box = this.#present(ref);
      const { phase } = observe(this.#parts.node, box);
      const adopted = phase === 'running' || phase === 'paused' || phase === 'exited';
      return adopted ? this.#adopt(box) : this.#table.reported(box);
    });
  }

  async status(ref: RunRef): Promise<ObservedRun> {
    return this.#table.reported(this.#present(ref));
  }

  async list(): Promise<readonly ObservedRun[]> {
    const mine = this.#parts.node.boxes.filter(({ flavour }) => flavour === this.#parts.flavour);
    return mine.map((box) => ({
      ...this.#table.reported(box),
      supervised: this.#table.isSupervised(box.ref),
    }));
  }

  stop(ref: RunRef, order: Omit<StopOrder, 'at'>): Promise<void> {
    return this.#serial(ref, async () => {
      const { node } = this.#parts;
      const box = node.find(ref);
      if (box === undefined) throw new LimpetError('not-found', `run ${keyOf(ref)} is not known`);
      await this.#step();
      const { phase } = observe(node, box);
      if (phase === 'running' || phase === 'paused' || phase === 'exited')
        void this.#table.supervise(box);
      if (phase === 'exited') return;
      node.orderStop(box, order);
      this.#table.carryOut(box);
    });
  }

  remove(ref: RunRef): Promise<void> {
    return this.#serial(ref, async () => {
      const { node } = this.#parts;
      await this.#reach('plugin.remove.before');
      const box = node.find(ref);
      if (box !== undefined) {
        const { phase, marked } = observe(node, box);
        if (phase === 'exited' || (phase === 'absent' && marked)) await this.#table.supervise(box);
        this.#table.release(ref);
        if (box.flavour === 'boxed' && node.engineAway)
          throw new LimpetError('unavailable', 'the engine is away');
        node.remove(box);
        while (box.phase === 'removing') await this.life.sleep(REMOVE_POLL_MS);
        await this.#step();
        node.deleteFolder(box);
      }
      await this.#reach('plugin.remove.after');
    });
  }

  async #accept(order: RunOrder): Promise<Box> {
    const { node, flavour } = this.#parts;
    const known = node.find(order.ref);
    if (known !== undefined) {
      if (known.order.specHash === order.specHash) return known;
      throw new LimpetError('already-exists', `run ${keyOf(order.ref)} exists with another spec`);
    }
    await this.#step();
    const box = node.writeFolder(order, flavour);
    await this.#reach('plugin.run-folder.written');
    return box;
  }

  async #launch(box: Box): Promise<void> {
    const { node, flavour } = this.#parts;
    await this.#step();
    if (flavour === 'held') {
      if (box.mark === undefined) node.spawnHolder(box);
      while (box.mark === undefined) await this.life.sleep(CLAIM_POLL_MS);
      await this.#reach('plugin.start.marked');
      return;
    }
    if (node.engineAway) throw new LimpetError('unavailable', 'the engine is away');
    if (box.mark === undefined) node.create(box);
    await this.#step();
    if (box.phase !== 'created') return;
    box.mark ??= { boot: node.boot };
    await this.#reach('plugin.start.marked');
    await this.#step();
    if (node.engineAway) throw new LimpetError('unavailable', 'the engine is away');
    node.startContainer(box);
  }

  /** An end is told once its log is complete. */
  async #adopt(box: Box): Promise<ObservedRun> {
    const settled = this.#table.supervise(box);
    if (observe(this.#parts.node, box).phase === 'exited') await settled;
    return this.#table.reported(box);
  }

  /** Absence with a mark is news; without one it is `not-found`. */
  #present(ref: RunRef): Box {
    const box = this.#parts.node.find(ref);
    const seen = box === undefined ? undefined : observe(this.#parts.node, box);
    if (box === undefined || (seen?.phase === 'absent' && !seen.marked))
      throw new LimpetError('not-found', `run ${keyOf(ref)} is not known here`);
    return box;
  }

  async #reach(point: CrashPoint): Promise<void> {
    this.#parts.faults.reach(point);
    if (!this.life.alive) await forever();
  }

  #step(): Promise<void> {
    return this.life.sleep(this.#parts.node.pace.stepMs);
  }

  #serial<T>(ref: RunRef, work: () => Promise<T>): Promise<T> {
    const key = keyOf(ref);
    const result = (this.#mailboxes.get(key) ?? Promise.resolve()).then(work);
    this.#mailboxes.set(
      key,
      result.catch(() => undefined),
    );
    return result;
  }
}
