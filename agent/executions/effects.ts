/**
 * Carries out effects. Each is idempotent under (execution id, run); each answers with an event. What the work itself
 * cannot do is an event (`refuse`); what only the moment forbids (plugin away, engine away) is tried again.
 */
import type { ArchiveLimits } from '../../core/archive-entries.ts';
import { assertNever, LimpetError } from '../../core/errors.ts';
import type { Effect, ExecutionEvent } from '../../core/execution/events.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import type { LiveProgress } from '../../core/live-progress.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { Faults } from '../../adapters/faults/port.ts';
import type { ExecutorClient, RunOrder } from '../plugins/port.ts';
import type { EffectRunner, ExecutionEngine } from './engine.ts';
import { runEnvironment, type EnvironmentOptions } from './environment.ts';
import type { AgentFolders } from './folders.ts';
import { removeInputs, stageInputs, type InputOptions, type Staging } from './inputs.ts';
import type { Leases } from './lease.ts';
import type { LiveExecution } from './live.ts';
import type { Observer } from './observer.ts';
import { canonicalParams } from '../../core/canonical-params.ts';
import { taskResources } from './resources.ts';
import type { Prepared } from './prepared.ts';
import { SharedInputs } from './shared-inputs.ts';
import { collect, resultMounts, type Collected } from './results.ts';

/** So long a preparation that tells nothing of itself is told of all the same. */
const QUIET_MS = 2_000;

/** Read anew for each run. */
export interface RunLimits {
  readonly stopGraceMs: number;
  readonly pidsLimit: number;
}

/** Who is told how far preparation is. */
export interface ProgressSink {
  changed(executionId: string, progress: LiveProgress): void;
  over(executionId: string): void;
}

export interface EffectsDeps {
  readonly engine: ExecutionEngine;
  readonly observer: Observer;
  readonly folders: AgentFolders;
  readonly inputs: InputOptions;
  /** Of what one execution publishes. */
  readonly results: ArchiveLimits;
  readonly environment: EnvironmentOptions;
  readonly clock: Clock;
  readonly faults: Faults;
  readonly leases: Leases;
  readonly prepared: Prepared;
  readonly limits: RunLimits;
  readonly progress: ProgressSink;
  client(executor: string): ExecutorClient | undefined;
}

export class Effects implements EffectRunner {
  readonly #deps: EffectsDeps;
  readonly #shared: SharedInputs;

  constructor(deps: EffectsDeps) {
    this.#deps = deps;
    this.#shared = new SharedInputs(deps.folders.inputs);
  }

  async run(live: LiveExecution, effect: Effect): Promise<void> {
    try {
      await this.#run(live, effect);
      live.retries = 0;
    } catch (thrown) {
      const error = LimpetError.from(thrown);
      if (error.code === 'cancelled') return;
      if (error.code === 'refused' || error.code === 'already-exists')
        this.#answer(live, { type: 'refuse', reason: error.message });
      else this.#deps.observer.retry(live, error.message);
    }
  }

  #run(live: LiveExecution, effect: Effect): Promise<void> {
    switch (effect.type) {
      case 'prepare':
        return this.#prepare(live);
      case 'start':
        return this.#start(live);
      case 'stop':
        return this.#stop(live);
      case 'publish':
        return this.#publish(live);
      case 'remove-run':
        return this.#client(live).remove({ ...ref(live.record), run: effect.run }, false);
      case 'remove':
        return this.#remove(live);
      case 'schedule-restart':
        this.#scheduleRestart(live, effect.at);
        return Promise.resolve();
      default:
        return assertNever(effect);
    }
  }

  async #prepare(live: LiveExecution): Promise<void> {
    if (live.record.state !== 'preparing') return;
    this.#deps.faults.reach('agent.effect.prepare.before');
    const client = this.#client(live);
    const { progress, signal } = this.#staging(live);
    // Not every plugin tells how far it is.
    const { Type: executor } = live.record.placement.task.Engine;
    const quiet = this.#deps.clock.after(QUIET_MS, () => {
      if (live.progress === undefined)
        progress({ kind: 'other', item: `executor ${executor} prepares it`, doneBytes: 0 });
    });
    const ask = async () => client.prepare(await this.#order(live), progress, signal);
    try {
      const digest = await this.#deps.prepared.digest(live.record, client, { ask, signal });
      this.#deps.faults.reach('agent.effect.prepare.after');
      this.#answer(live, { type: 'prepared', digest });
    } finally {
      quiet.cancel();
      live.progress = undefined;
      this.#deps.progress.over(live.record.placement.executionId);
    }
  }

  async #start(live: LiveExecution): Promise<void> {
    const { record } = live;
    if (record.state !== 'starting') return;
    if (this.#deps.leases.isOver(record)) {
      live.lookAgain = true;
      return;
    }
    await this.#deps.leases.begin(live);
    this.#deps.faults.reach('agent.effect.start.before');
    const order = await this.#order(live);
    const { observed } = await this.#client(live).start(order);
    this.#deps.faults.reach('agent.effect.start.after');
    if (observed.phase !== 'running') {
      live.lookAgain = true;
      return;
    }
    this.#answer(live, {
      type: 'started',
      run: record.run,
      startedAt: observed.startedAt ?? this.#deps.clock.now(),
      ...(observed.handle === undefined ? {} : { handle: observed.handle }),
    });
    await this.#deps.leases.begun(live);
  }

  async #stop(live: LiveExecution): Promise<void> {
    const { record } = live;
    if (record.state !== 'stopping' || record.stop === undefined) return;
    this.#deps.faults.reach('agent.effect.stop.before');
    const graceMs = this.#deps.limits.stopGraceMs;
    await this.#client(live).stop(ref(record), {
      reason: record.stop.reason,
      by: record.stop.by,
      graceMs,
    });
    this.#deps.faults.reach('agent.effect.stop.after');
    // It may never have begun, or be over already: the look tells.
    live.stopTaken = true;
    live.lookAgain = true;
  }

  async #publish(live: LiveExecution): Promise<void> {
    if (live.record.state !== 'publishing') return;
    this.#deps.faults.reach('agent.effect.publish.before');
    const { folders, results: limits } = this.#deps;
    const client = this.#client(live);
    let collected: Collected;
    try {
      collected = await collect(live.record, { folders, client, limits });
    } catch (thrown) {
      const { code, message: reason } = LimpetError.from(thrown);
      if (code !== 'too-large') throw thrown;
      return this.#answer(live, { type: 'publish-failed', reason });
    }
    const { result, output } = collected;
    this.#deps.faults.reach('agent.effect.publish.after');
    this.#answer(live, { type: 'published', output, ...(result === undefined ? {} : { result }) });
  }

  async #remove(live: LiveExecution): Promise<void> {
    const { record } = live;
    this.#deps.faults.reach('agent.effect.remove.before');
    const client = this.#client(live);
    for (let run = 0; run <= record.run; run++) await client.remove({ ...ref(record), run }, false);
    if (record.placement.task.InputSources !== undefined)
      await removeInputs(record.placement.executionId, this.#deps.inputs);
    this.#shared.release(record.placement.executionId);
    this.#deps.faults.reach('agent.effect.remove.after');
    this.#answer(live, { type: 'removed' });
  }

  #scheduleRestart(live: LiveExecution, at: number): void {
    live.restartTimer?.cancel();
    // A clock that was set back meanwhile must not make the back-off longer than it was meant to be.
    const meant = Math.max(0, at - live.record.changedAt);
    const delay = Math.min(meant, Math.max(0, at - this.#deps.clock.now()));
    live.restartTimer = this.#deps.clock.after(delay, () => {
      this.#answer(live, { type: 'restart-due' });
    });
  }

  #answer(live: LiveExecution, event: ExecutionEvent): void {
    void this.#deps.engine.dispatch(live.record.placement.executionId, event);
  }

  #client(live: LiveExecution): ExecutorClient {
    const name = live.record.placement.task.Engine.Type;
    const client = this.#deps.client(name);
    if (client === undefined) throw new LimpetError('unavailable', `executor ${name} is not ready`);
    return client;
  }

  async #order(live: LiveExecution): Promise<RunOrder> {
    const { record } = live;
    const { placement } = record;
    const { task, token } = placement;
    const client = this.#client(live);
    const shared = client.preparesOnce === true ? this.#shared : undefined;
    const inputs = await stageInputs(record, this.#deps.inputs, { ...this.#staging(live), shared });
    const outputs = await resultMounts(record, this.#deps.folders);
    const resources = taskResources(task);
    return {
      ref: ref(record),
      specHash: placement.specHash,
      jobId: placement.jobId,
      jobName: placement.jobName,
      kind: placement.kind,
      owner: placement.owner,
      token: `${token.jobVersion}.${token.partition}.${token.attempt}`,
      params: canonicalParams(client.paramsSchema, task.Engine.Params ?? {}),
      env: runEnvironment(record, this.#deps.environment),
      mounts: [...inputs, ...outputs],
      limits: {
        cpuMillis: resources.cpuMillis,
        memoryBytes: resources.memoryBytes,
        pids: this.#deps.limits.pidsLimit,
        diskBytes: resources.diskBytes,
      },
      network: task.Network.Type,
      deadlineAt: placement.deadlineAt ?? 0,
      digest: record.digest ?? '',
      stopGraceMs: this.#deps.limits.stopGraceMs,
    };
  }

  #staging(live: LiveExecution): Staging {
    const progress = (now: LiveProgress): void => {
      if (live.record.state !== 'preparing') return;
      live.progress = now;
      this.#deps.progress.changed(live.record.placement.executionId, now);
    };
    return { progress, signal: live.abort.signal };
  }
}

function ref(record: ExecutionRecord): { executionId: string; run: number } {
  return { executionId: record.placement.executionId, run: record.run };
}
