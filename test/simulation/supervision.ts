/** The runs that a plugin supervises: their log is pumped to its end, then their end may be told, and the agent is woken. */
import type { CrashPoint } from '../../core/crash-points.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';
import type { Faults } from '../../adapters/faults/port.ts';
import type { RunRef } from '../../agent/plugins/port.ts';
import { keyOf } from './ledger.ts';
import type { Life } from './life.ts';
import type { Box, Flavour, Node } from './node.ts';
import { observe } from './observe.ts';

export interface PluginParts {
  readonly instance: string;
  readonly flavour: Flavour;
  readonly node: Node;
  readonly life: Life;
  readonly faults: Faults;
}

export interface SupervisionHooks {
  /** Never comes back when the plugin dies there. */
  reach(point: CrashPoint): Promise<void>;
  wake(ref: RunRef): void;
}

interface Entry {
  readonly settled: Promise<void>;
  done: boolean;
  released: boolean;
}

const ENGINE_LOOK_MS = 1_000;

export class Supervision {
  readonly #parts: PluginParts;
  readonly #hooks: SupervisionHooks;
  readonly #entries = new Map<string, Entry>();
  readonly #stopping = new Set<Box>();

  constructor(parts: PluginParts, hooks: SupervisionHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
  }

  supervise(box: Box): Promise<void> {
    const key = keyOf(box.ref);
    const known = this.#entries.get(key);
    if (known !== undefined) return known.settled;
    const entry: Entry = { done: false, released: false, settled: this.#watch(box, () => entry) };
    this.#entries.set(key, entry);
    if (box.flavour === 'boxed') this.#keepDeadline(box);
    this.carryOut(box);
    return entry.settled;
  }

  release(ref: RunRef): void {
    const entry = this.#entries.get(keyOf(ref));
    if (entry !== undefined) entry.released = true;
    this.#entries.delete(keyOf(ref));
  }

  isSupervised(ref: RunRef): boolean {
    return this.#entries.get(keyOf(ref))?.done === false;
  }

  /** What may be said of it now: an end whose log is not complete is no end yet. */
  reported(box: Box): ObservedRun {
    const seen = observe(this.#parts.node, box);
    if (seen.phase !== 'exited') return seen;
    if (this.#entries.get(keyOf(box.ref))?.done ?? box.logEnded) return seen;
    const { outcome: _outcome, finishedAt: _finishedAt, ...rest } = seen;
    return { ...rest, phase: 'running' };
  }

  /** A stop order of a container is the plugin's to carry out, whichever of its lives began it. */
  carryOut(box: Box): void {
    const { node, life } = this.#parts;
    const { stop } = box;
    if (box.flavour === 'held' || stop === undefined || this.#stopping.has(box)) return;
    this.#stopping.add(box);
    node.terminate(box);
    const killAt = stop.at + stop.graceMs;
    life.after(Math.max(0, killAt - life.now()), () => {
      this.#stopping.delete(box);
      if (node.find(box.ref) === box) node.kill(box);
    });
  }

  async #watch(box: Box, entry: () => Entry): Promise<void> {
    const { life, node } = this.#parts;
    await life.sleep(node.pace.stepMs);
    await this.#untilOver(box, entry);
    if (entry().released) return;
    if (observe(node, box).phase === 'exited' && !box.logEnded) {
      await this.#hooks.reach('plugin.exit.before-record');
      await life.sleep(node.pace.stepMs);
      box.logEnded = true;
      await this.#hooks.reach('plugin.exit.after-record');
    }
    entry().done = true;
    this.#hooks.wake(box.ref);
  }

  async #untilOver(box: Box, entry: () => Entry): Promise<void> {
    const { life, node } = this.#parts;
    for (;;) {
      if (entry().released) return;
      const { phase } = observe(node, box);
      if (phase === 'exited' || phase === 'absent') return;
      if (phase === 'unobservable' || phase === 'removing') await life.sleep(ENGINE_LOOK_MS);
      else
        await new Promise<void>((resolve) => {
          const leave = node.watch((changed) => {
            if (changed !== box) return;
            leave();
            life.after(0, resolve);
          });
          life.onEnd(leave);
        });
    }
  }

  #keepDeadline(box: Box): void {
    const { node, life } = this.#parts;
    const { deadlineAt } = box.order;
    if (deadlineAt === 0) return;
    life.after(Math.max(0, deadlineAt - life.now()), () => {
      if (node.find(box.ref) !== box || box.copy === undefined) return;
      node.orderStop(box, { by: 'limit', reason: 'deadline', graceMs: box.order.stopGraceMs });
      this.carryOut(box);
    });
  }
}
