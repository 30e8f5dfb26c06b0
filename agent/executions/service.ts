/**
 * The executions of this node as one thing: engine, observer, effects, admission and recovery, joined to the plugin
 * host. What happens in a plugin comes in here; what the owner orders goes through `engine`.
 */
import { parseExecutionId, type ExecutionId, type NodeId } from '../../core/ids.ts';
import type { Effect, ExecutionEvent } from '../../core/execution/events.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import type { Resources } from '../../core/resources.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { Faults } from '../../adapters/faults/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type {
  ExecutorClient,
  ExecutorHealth,
  PluginHost,
  PluginHostEvents,
  RunRef,
  SeenEnd,
} from '../plugins/port.ts';
import { Counters } from '../explain/metrics.ts';
import { acceptEngine, type AcceptedEngine } from './accept-engine.ts';
import { Admission } from './admission.ts';
import { Deadlines } from './deadlines.ts';
import { Effects } from './effects.ts';
import { ExecutionEngine, type ReportSink } from './engine.ts';
import type { EnvironmentOptions } from './environment.ts';
import type { AgentFolders } from './folders.ts';
import { ForeignWork, type OwnerProof } from './foreign.ts';
import type { InputOptions } from './inputs.ts';
import type { Leases } from './lease.ts';
import { endAll, letFinish, type Leaving } from './leaving.ts';
import type { LiveExecution } from './live.ts';
import { Observer } from './observer.ts';
import { takeOwnerWord, type KnownToOwner } from './owner-word.ts';
import { Recoveries } from './recoveries.ts';
import type { RecoveryReport } from './recovery.ts';
import type { ExecutionRepository } from './repository.ts';
import { stopLeftover } from './stop-leftover.ts';
import { OwnerWords } from './sweep-words.ts';

export interface ServiceDeps {
  readonly repository: ExecutionRepository;
  readonly host: PluginHost;
  readonly reports: ReportSink;
  readonly folders: AgentFolders;
  readonly inputs: InputOptions;
  readonly environment: EnvironmentOptions;
  readonly capacity: Resources;
  readonly stopGraceMs: number;
  readonly pidsLimit: number;
  readonly clock: Clock;
  readonly faults: Faults;
  readonly log: Logger;
  readonly nodeId: NodeId;
  readonly leases: Leases;
  /** Who may claim what is foreign here, or have it stopped. */
  owner(): OwnerProof | undefined;
  /** Something on this disk shows that a run of it was begun here. */
  hasTraces(id: ExecutionId): boolean;
  /** Executor health, recovery, or what is foreign here has changed. */
  changed(): void;
}

export class ExecutionService implements PluginHostEvents {
  readonly engine: ExecutionEngine;
  readonly counters = new Counters();
  readonly #deps: ServiceDeps;
  readonly #observer: Observer;
  readonly #deadlines: Deadlines;
  readonly #admission: Admission;
  readonly #recoveries: Recoveries;
  readonly foreign: ForeignWork;
  readonly words = new OwnerWords(() => this.#deps.owner());
  /** Why no work is taken any more; its owner would place it here again at once. */
  #closedTo: string | undefined;

  constructor(deps: ServiceDeps) {
    this.#deps = deps;
    const client = (name: string): ExecutorClient | undefined => deps.host.client(name);
    this.engine = new ExecutionEngine(deps);
    this.#observer = this.#newObserver(client);
    this.#deadlines = new Deadlines({
      clock: deps.clock,
      look: (live) => {
        this.#observer.look(live);
      },
    });
    const effects = new Effects({ ...deps, engine: this.engine, observer: this.#observer, client });
    this.engine.connect(effects, (live) => {
      this.#observer.idle(live);
    });
    this.#admission = new Admission({
      capacity: deps.capacity,
      client,
      health: (name) => deps.host.health().find((h) => h.name === name),
      recovered: (name) => this.#recoveries.has(name),
    });
    this.foreign = this.#foreignWork();
    this.#recoveries = new Recoveries({
      ...deps,
      engine: this.engine,
      observer: this.#observer,
      foreign: (client, runs) => this.foreign.take(client, runs),
      stored: async (id) => deps.repository.get(parseExecutionId(id)),
      recovered: (name, report) => {
        this.#recovered(name, report);
      },
    });
  }

  /** After the stored records are in: begin to supervise plugins and to list every 30 s. */
  start(): void {
    for (const live of this.engine.all()) this.#deadlines.arm(live);
    this.#deps.leases.watch({
      executions: () => this.engine.all(),
      client: (name) => this.#deps.host.client(name),
      look: (live) => {
        this.#observer.look(live);
      },
    });
    this.#deps.host.start(this);
    this.#recoveries.start();
  }

  close(): void {
    this.#recoveries.close();
    this.#deps.leases.close();
    for (const live of this.engine.all()) live.clearTimers();
  }

  /** When the last of the configured executors had recovered for the first time. */
  get readyAt(): number | undefined {
    return this.#recoveries.readyAt;
  }

  isRecovered(executor: string): boolean {
    return this.#recoveries.has(executor);
  }

  recoveryReports(): ReadonlyMap<string, RecoveryReport> {
    return this.#recoveries.reports;
  }

  /** Takes an accepted execution, declines it, or leaves it waiting for its executor's recovery. */
  admit(live: LiveExecution): void {
    this.#arm(live);
    const { stop, placement, state, unconfirmed } = live.record;
    // Found here by its traces, it goes the way of recovery.
    if (state !== 'accepted') this.#observer.look(live);
    if (state !== 'accepted' || unconfirmed === true) return;
    const event: ExecutionEvent | undefined =
      stop !== undefined
        ? { type: 'stop', ...stop }
        : this.#closedTo !== undefined
          ? { type: 'decline', reason: this.#closedTo }
          : this.#admission.judge(placement, this.engine.allocated);
    if (event !== undefined) void this.engine.dispatch(placement.executionId, event);
  }

  /** Whether a placement that is about to be written needs no second look: it is then written as admitted. */
  admitsAtOnce(
    { state, stop, unconfirmed, placement }: ExecutionRecord,
    allocated: Resources,
  ): boolean {
    if (state !== 'accepted' || stop !== undefined || unconfirmed === true) return false;
    if (this.#closedTo !== undefined) return false;
    return this.#admission.judge(placement, allocated)?.type === 'admit';
  }

  /** A placement that has just been written: goes on with what it asks for, or is admitted. */
  begin(live: LiveExecution, effects: readonly Effect[]): void {
    if (effects.length === 0) this.admit(live);
    else this.#arm(live);
    for (const effect of effects) this.engine.runEffect(live, effect);
  }

  #arm(live: LiveExecution): void {
    this.#deadlines.arm(live);
    if (live.record.placement.leaseMs !== undefined) this.#deps.leases.arm();
  }

  /** How the owner knows what it was told of. */
  ownerWord(known: readonly KnownToOwner[]): Promise<void> {
    return takeOwnerWord(
      {
        engine: this.engine,
        admit: (live) => {
          this.admit(live);
        },
        look: (live) => {
          this.#observer.look(live);
        },
      },
      known,
    );
  }

  ready(name: string, client: ExecutorClient, generation: number): void {
    this.#recoveries.lost(name);
    this.#deps.changed();
    this.#recoveries.begin(client, generation);
  }

  lost(name: string, reason: string): void {
    this.#recoveries.lost(name);
    this.#deps.log.warn('executor.lost', { executor: name, reason });
    this.#deps.changed();
  }

  wake(name: string, ref: RunRef | undefined, end?: SeenEnd): void {
    if (!this.#recoveries.has(name)) {
      this.#recoveries.woken(name);
      return;
    }
    if (ref === undefined) {
      this.#recoveries.relist(name);
      return;
    }
    const live = this.engine.get(parseExecutionId(ref.executionId));
    if (live === undefined) return;
    if (end !== undefined) this.#observer.ended(live, end);
    else this.#observer.look(live);
  }

  health({ name }: ExecutorHealth): void {
    this.#admitWaiting(name);
    this.#deps.changed();
  }

  /** Executors as the owner and people see them: of a node that takes no work none is healthy. */
  advertised(): readonly ExecutorHealth[] {
    const { host } = this.#deps;
    const reason = this.#closedTo;
    if (reason === undefined) return host.health();
    return host.health().map((h) => ({ ...h, health: 'unhealthy', reason }));
  }

  /** `agent stop --drain`: what ends by itself may finish, what stays up is stopped. Until nothing is left, or the signal. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#closedTo = 'this node is being drained';
    this.#deps.changed();
    await letFinish(this.#leaving(), signal);
  }

  /** `agent stop --kill`: stops every run, those without a record too; waits until the last has ended or the time is over. */
  async killAll(reason: string, timeoutMs: number): Promise<void> {
    this.#closedTo = 'this node is being stopped';
    for (const { record } of this.foreign.all())
      void this.foreign.operator(record.placement.executionId, 'stop');
    await endAll(this.#leaving(), reason, timeoutMs);
  }

  #leaving(): Leaving {
    return { engine: this.engine, clock: this.#deps.clock, admit: (live) => this.admit(live) };
  }

  /** An operator's word: the engine that answers now is the one, runs that another one holds are lost. */
  async acceptEngine(name: string): Promise<AcceptedEngine> {
    const accepted = await acceptEngine(this.#deps, name);
    this.#recoveries.relist(name);
    return accepted;
  }

  #newObserver(client: (name: string) => ExecutorClient | undefined): Observer {
    const deps = this.#deps;
    return new Observer({
      ...deps,
      engine: this.engine,
      client,
      admit: (live) => {
        this.admit(live);
      },
      decided: ({ rule, action }) => {
        const labels = { rule: String(rule), action: action.type };
        this.counters.add('limpet_recovery_decisions_total', labels);
      },
      stopLeftover: (live, run) => stopLeftover({ ...deps, client }, live, run),
    });
  }

  #foreignWork(): ForeignWork {
    return new ForeignWork({
      ...this.#deps,
      engine: this.engine,
      observer: this.#observer,
      runsDir: this.#deps.folders.runs,
      imported: (live) => {
        this.#deadlines.arm(live);
        this.#deps.changed();
      },
    });
  }

  #recovered(name: string, report: RecoveryReport): void {
    this.#deps.log.info('recovery.done', {
      executor: name,
      adopted: report.adopted,
      ended: report.ended,
      tookMs: report.tookMs,
      foreign: this.foreign.all().length,
    });
    this.#admitWaiting(name);
    this.#deps.changed();
  }

  #admitWaiting(executor: string): void {
    for (const live of this.engine.all())
      if (live.record.state === 'accepted' && live.record.placement.task.Engine.Type === executor)
        this.admit(live);
  }
}
