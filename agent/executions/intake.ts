/**
 * What becomes of a placement that is written here: taken, declined, or left waiting for its executor's recovery. Once
 * closed, as a node is that leaves, everything is declined and no executor counts as healthy.
 */
import type { Effect, ExecutionEvent } from '../../core/execution/events.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import type { Resources } from '../../core/resources.ts';
import type { ExecutorHealth } from '../plugins/port.ts';
import { Admission, type AdmissionDeps } from './admission.ts';
import type { Deadlines } from './deadlines.ts';
import type { ExecutionEngine } from './engine.ts';
import type { Leases } from './lease.ts';
import type { LiveExecution } from './live.ts';
import type { Observer } from './observer.ts';

export interface IntakeDeps {
  readonly engine: ExecutionEngine;
  readonly observer: Observer;
  readonly deadlines: Deadlines;
  readonly leases: Leases;
  readonly admission: AdmissionDeps;
}

export class Intake {
  readonly #deps: IntakeDeps;
  readonly #admission: Admission;
  /** Why no work is taken any more; its owner would place it here again at once. */
  #closedTo: string | undefined;
  /** Why no work is taken for now, as the owner knows too. */
  #drained: string | undefined;

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
    this.#admission = new Admission(deps.admission);
  }

  /** From now on everything is declined, for this reason. */
  close(reason: string): void {
    this.#closedTo = reason;
  }

  /** New work is declined for this reason until it is undefined. */
  drain(reason: string | undefined): void {
    this.#drained = reason;
  }

  get drained(): string | undefined {
    return this.#drained;
  }

  /** Takes an accepted execution, declines it, or leaves it waiting for its executor's recovery. */
  admit(live: LiveExecution): void {
    const { engine, observer } = this.#deps;
    this.#arm(live);
    const { stop, placement, state, unconfirmed } = live.record;
    // Found here by its traces, it goes the way of recovery.
    if (state !== 'accepted') observer.look(live);
    if (state !== 'accepted' || unconfirmed === true) return;
    const closed = this.#closedTo ?? this.#drained;
    const event: ExecutionEvent | undefined =
      stop !== undefined
        ? { type: 'stop', ...stop }
        : closed !== undefined
          ? { type: 'decline', reason: closed }
          : this.#admission.judge(placement, engine.allocated);
    if (event !== undefined) void engine.dispatch(placement.executionId, event);
  }

  /** Something about an executor has changed: what waits for it is looked at again. */
  admitWaiting(executor: string): void {
    for (const live of this.#deps.engine.all())
      if (live.record.state === 'accepted' && live.record.placement.task.Engine.Type === executor)
        this.admit(live);
  }

  /** Whether a placement that is about to be written needs no second look: it is then written as admitted. */
  admitsAtOnce(
    { state, stop, unconfirmed, placement }: ExecutionRecord,
    allocated: Resources,
  ): boolean {
    if (state !== 'accepted' || stop !== undefined || unconfirmed === true) return false;
    if (this.#closedTo !== undefined || this.#drained !== undefined) return false;
    return this.#admission.judge(placement, allocated)?.type === 'admit';
  }

  /** A placement that has just been written: goes on with what it asks for, or is admitted. */
  begin(live: LiveExecution, effects: readonly Effect[]): void {
    if (effects.length === 0) this.admit(live);
    else this.#arm(live);
    for (const effect of effects) this.#deps.engine.runEffect(live, effect);
  }

  /** Executors as the owner and people see them: of a node that takes no work none is healthy. */
  advertised(health: readonly ExecutorHealth[]): readonly ExecutorHealth[] {
    const reason = this.#closedTo;
    if (reason === undefined) return health;
    return health.map((h) => ({ ...h, health: 'unhealthy', reason }));
  }

  #arm(live: LiveExecution): void {
    const { deadlines, leases } = this.#deps;
    deadlines.arm(live);
    if (live.record.placement.leaseMs !== undefined) leases.arm();
  }
}
