/**
 * The simulated host of an agent: run folders, holders and containers. They outlive every program of the simulation, as the
 * real ones do.
 *
 *   held   the holder claims (once, in the folder) and runs; it keeps the deadline and obeys the stop order by itself
 *   boxed  a container: created, marked by the plugin, started by the engine; deadline and stop order are the plugin's
 */
import type { Clock } from '../../adapters/clock/port.ts';
import type { RunOrder, RunRef } from '../../agent/plugins/port.ts';
import type { Outcome } from '../../core/execution/outcome.ts';
import { keyOf, type Ledger, type TrueRun } from './ledger.ts';
import { planOf } from './plan.ts';

export type Flavour = 'held' | 'boxed';

export interface StopOrder {
  readonly by: 'stop' | 'limit';
  readonly reason: string;
  readonly at: number;
  readonly graceMs: number;
}

/** All that the host has of one run. */
export interface Box {
  readonly ref: RunRef;
  readonly flavour: Flavour;
  /** `run.json`. */
  readonly order: RunOrder;
  mark?: { readonly boot: number };
  /** Of its process or container; `none`: there is none. */
  phase: 'none' | 'created' | 'running' | 'paused' | 'exited' | 'removing';
  copy?: TrueRun;
  startedAt?: number;
  exit?: { readonly at: number; readonly code: number; readonly outcome: Outcome };
  stop?: StopOrder;
  /** The log has its end mark: the end may be told. */
  logEnded: boolean;
  /** It was to end by itself while it was paused. */
  overdue: boolean;
}

/** How the script wants the host to behave now. */
export interface Pace {
  /** Each step inside a plugin, ms. */
  stepMs: number;
  /** From the spawn of a holder to its claim. */
  claimMs: number;
  /** From the removal of a container to its being gone. */
  removeMs: number;
}

const KILLED = 137;
const TERMINATED = 143;
const HOLDER_LOOK_MS = 500;

export class Node {
  readonly ledger: Ledger;
  readonly pace: Pace = { stepMs: 1, claimMs: 2, removeMs: 0 };
  boot = 1;
  engineAway = false;
  readonly #clock: Clock;
  readonly #boxes = new Map<string, Box>();
  readonly #watchers = new Set<(box: Box) => void>();

  constructor(clock: Clock, ledger: Ledger) {
    this.#clock = clock;
    this.ledger = ledger;
  }

  find(ref: RunRef): Box | undefined {
    return this.#boxes.get(keyOf(ref));
  }

  get boxes(): readonly Box[] {
    return [...this.#boxes.values()];
  }

  /** Hears of every change of a process or container. */
  watch(listener: (box: Box) => void): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  writeFolder(order: RunOrder, flavour: Flavour): Box {
    const { ref } = order;
    const box: Box = { ref, flavour, order, phase: 'none', logEnded: false, overdue: false };
    this.#boxes.set(keyOf(ref), box);
    return box;
  }

  /** The holder claims a little later, by itself, once, and only while its folder is there. */
  spawnHolder(box: Box): void {
    const { boot } = this;
    this.#clock.after(this.pace.claimMs, () => {
      if (this.boot !== boot || this.find(box.ref) !== box || box.mark !== undefined) return;
      box.mark = { boot };
      this.#begin(box);
    });
  }

  create(box: Box): void {
    if (box.phase === 'none') this.#enter(box, 'created');
  }

  startContainer(box: Box): void {
    if (box.phase === 'created' && this.find(box.ref) === box) this.#begin(box);
  }

  orderStop(box: Box, order: Omit<StopOrder, 'at'>): void {
    box.stop ??= { ...order, at: this.#clock.now() };
    if (box.flavour === 'held') this.#obey(box, box.stop);
  }

  /** TERM now; KILL after the grace. Of a container this is the plugin's to do. */
  terminate(box: Box): void {
    const { copy } = box;
    const { termMs } = planOf(box.order);
    if (copy !== undefined && termMs !== undefined)
      this.#clock.after(termMs, () => this.#exit(box, copy, TERMINATED));
  }

  kill(box: Box): void {
    if (box.copy === undefined) return;
    box.overdue = false;
    if (box.phase === 'paused') box.phase = 'running';
    this.#exit(box, box.copy, KILLED);
  }

  /** Its process or container goes, the folder stays; a container may take its time. */
  remove(box: Box): void {
    const lived = box.copy !== undefined;
    this.#vanish(box);
    if (box.flavour === 'held') {
      if (lived) this.#enter(box, 'none');
    } else if (box.phase !== 'removing' && box.phase !== 'none') {
      this.#enter(box, 'removing');
      this.#clock.after(this.pace.removeMs, () => this.#dropContainer(box));
    }
  }

  deleteFolder(box: Box): void {
    this.#vanish(box);
    if (this.find(box.ref) === box) this.#boxes.delete(keyOf(box.ref));
    this.#enter(box, 'none');
  }

  /** Somebody removed the container, or killed the holder so that it left nothing. */
  loseByHand(box: Box): void {
    this.ledger.tamper(box.ref);
    this.#vanish(box);
    this.#enter(box, 'none');
  }

  pause(box: Box): void {
    if (box.phase === 'running') this.#enter(box, 'paused');
  }

  resume(box: Box): void {
    if (box.phase !== 'paused') return;
    this.#enter(box, 'running');
    if (box.overdue && box.copy !== undefined) this.#exit(box, box.copy, planOf(box.order).code);
  }

  /** Processes are gone; containers that ran are shown as exited by KILL. */
  reboot(): void {
    this.boot += 1;
    for (const box of this.boxes) {
      // One that was killed by hand before looks just like those that the reboot has killed.
      const killed = box.flavour === 'boxed' && box.exit?.code === KILLED;
      if (box.mark !== undefined && (box.exit === undefined || killed)) this.ledger.tamper(box.ref);
      if (box.copy === undefined) continue;
      if (box.flavour === 'boxed') this.kill(box);
      else {
        this.#vanish(box);
        this.#enter(box, 'none');
      }
    }
  }

  #begin(box: Box): void {
    const now = this.#clock.now();
    const copy = this.ledger.started(box.ref, now);
    box.copy = copy;
    box.startedAt = now;
    this.#enter(box, 'running');
    const plan = planOf(box.order);
    this.#clock.after(plan.afterMs, () => this.#exit(box, copy, plan.code));
    if (box.flavour === 'boxed') return;
    const { deadlineAt } = box.order;
    if (deadlineAt > 0)
      this.#clock.after(deadlineAt - now, () => {
        box.stop ??= { by: 'limit', reason: 'deadline', at: this.#clock.now(), graceMs: 0 };
        if (box.copy === copy) this.kill(box);
      });
    if (box.stop !== undefined) this.#obey(box, box.stop);
  }

  /** A holder reads its folder now and then. */
  #obey(box: Box, { graceMs }: StopOrder): void {
    const { copy } = box;
    if (copy === undefined) return;
    this.#clock.after(HOLDER_LOOK_MS, () => {
      if (box.copy === copy) this.terminate(box);
    });
    this.#clock.after(HOLDER_LOOK_MS + graceMs, () => {
      if (box.copy === copy) this.kill(box);
    });
  }

  #exit(box: Box, copy: TrueRun, code: number): void {
    if (box.copy !== copy) return;
    if (box.phase === 'paused') {
      box.overdue = true;
      return;
    }
    const at = this.#clock.now();
    const outcome: Outcome =
      box.stop === undefined
        ? { by: 'exit', code, reason: '' }
        : { by: box.stop.by, code, reason: box.stop.reason };
    copy.ended = { at, code };
    delete box.copy;
    box.exit = { at, code, outcome };
    this.#enter(box, 'exited');
  }

  /** Its process ends and leaves nothing. */
  #vanish(box: Box): void {
    if (box.copy !== undefined) box.copy.ended = { at: this.#clock.now() };
    delete box.copy;
  }

  #dropContainer(box: Box): void {
    if (this.find(box.ref) === box) this.#enter(box, 'none');
  }

  #enter(box: Box, phase: Box['phase']): void {
    box.phase = phase;
    if (phase === 'none' && box.flavour === 'boxed') delete box.exit;
    for (const watcher of [...this.#watchers]) watcher(box);
  }
}
