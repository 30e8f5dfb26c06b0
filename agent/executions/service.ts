/**
 * The executions of this node as one thing: engine, observer, effects, intake and recovery, joined to the plugin host.
 * What happens in a plugin comes in here; what the owner places goes through `intake`, what it orders through `engine`.
 */
import type { ArchiveLimits } from '../../core/archive-entries.ts';
import { parseExecutionId, type ExecutionId, type NodeId } from '../../core/ids.ts';
import type { Resources } from '../../core/resources.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { Faults } from '../../adapters/faults/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type {
  ExecutorClient,
  ExecutorHealth,
  PluginHost,
  PluginHostEvents,
  PluginWork,
  RunRef,
  SeenEnd,
} from '../plugins/port.ts';
import type { AgentMetrics } from '../explain/metrics.ts';
import { acceptEngine, type AcceptedEngine } from './accept-engine.ts';
import { Deadlines } from './deadlines.ts';
import { Effects, type ProgressSink, type RunLimits } from './effects.ts';
import { ExecutionEngine, type ReportSink } from './engine.ts';
import type { EnvironmentOptions } from './environment.ts';
import type { AgentFolders } from './folders.ts';
import { ForeignWork, type OwnerProof } from './foreign.ts';
import type { InputOptions } from './inputs.ts';
import { Intake } from './intake.ts';
import type { Leases } from './lease.ts';
import { endAll, letFinish, stopWhatStaysUp, type Leaving } from './leaving.ts';
import { Observer } from './observer.ts';
import { takeOwnerWord, type KnownToOwner } from './owner-word.ts';
import { Prepared } from './prepared.ts';
import { pluginWork } from './plugin-work.ts';
import { Recoveries } from './recoveries.ts';
import type { RecoveryReport } from './recovery.ts';
import type { ExecutionRepository } from './repository.ts';
import { stopLeftover } from './stop-leftover.ts';
import { ParamsSchemas } from './params-schemas.ts';
import { OwnerWords } from './sweep-words.ts';

export interface ServiceDeps {
  readonly repository: ExecutionRepository;
  readonly host: PluginHost;
  readonly reports: ReportSink;
  readonly folders: AgentFolders;
  readonly inputs: InputOptions;
  readonly results: ArchiveLimits;
  readonly environment: EnvironmentOptions;
  readonly capacity: Resources;
  readonly limits: RunLimits;
  readonly clock: Clock;
  readonly faults: Faults;
  readonly log: Logger;
  readonly nodeId: NodeId;
  readonly leases: Leases;
  readonly metrics: AgentMetrics;
  readonly progress: ProgressSink;
  /** Who may claim what is foreign here, or have it stopped. */
  owner(): OwnerProof | undefined;
  /** Something on this disk shows that a run of it was begun here. */
  hasTraces(id: ExecutionId): boolean;
  /** Executor health, recovery, or what is foreign here has changed. */
  changed(): void;
}

export class ExecutionService implements PluginHostEvents {
  readonly engine: ExecutionEngine;
  readonly intake: Intake;
  readonly #deps: ServiceDeps;
  readonly #observer: Observer;
  readonly #deadlines: Deadlines;
  readonly #recoveries: Recoveries;
  readonly foreign: ForeignWork;
  readonly work: PluginWork;
  readonly schemas = new ParamsSchemas();
  readonly prepared = new Prepared();
  readonly words = new OwnerWords(() => this.#deps.owner());

  constructor(deps: ServiceDeps) {
    this.#deps = deps;
    const client = (name: string): ExecutorClient | undefined => deps.host.client(name);
    this.engine = new ExecutionEngine({
      ...deps,
      ended: ({ placement, state, outcome }) => {
        const executor = placement.task.Engine.Type;
        const labels = { executor, state, by: outcome?.by ?? 'none' };
        deps.metrics.count('limpet_executions_ended_total', labels);
      },
    });
    this.work = pluginWork(this.engine, (executor) => this.isRecovered(executor));
    this.#observer = this.#newObserver(client);
    this.#deadlines = new Deadlines({
      clock: deps.clock,
      look: (live) => {
        this.#observer.look(live);
      },
    });
    const { engine, prepared } = this;
    const effects = new Effects({ ...deps, engine, observer: this.#observer, client, prepared });
    this.engine.connect(effects, (live) => {
      this.#observer.idle(live);
    });
    this.intake = this.#newIntake(client);
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

  /** How the owner knows what it was told of. */
  ownerWord(known: readonly KnownToOwner[]): Promise<void> {
    return takeOwnerWord(
      {
        engine: this.engine,
        admit: (live) => {
          this.intake.admit(live);
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
    this.intake.admitWaiting(name);
    this.#deps.changed();
  }

  /** Executors as the owner and people see them. */
  advertised(): readonly ExecutorHealth[] {
    return this.intake.advertised(this.#deps.host.health());
  }

  /** `agent stop --drain`: what ends by itself may finish, what stays up is stopped. Until nothing is left, or the signal. */
  async drain(signal: AbortSignal): Promise<void> {
    this.intake.close('this node is being drained');
    this.#deps.changed();
    await letFinish(this.#leaving(), signal);
  }

  /** `agent drain`: new work is declined for this reason, what stays up is stopped; undefined takes work again. */
  refuse(reason: string | undefined): void {
    this.intake.drain(reason);
    if (reason !== undefined) stopWhatStaysUp(this.#leaving());
    this.#deps.changed();
  }

  /** `agent stop --kill`: stops every run, those without a record too; waits until the last has ended or the time is over. */
  async killAll(reason: string, timeoutMs: number): Promise<void> {
    this.intake.close('this node is being stopped');
    for (const { record } of this.foreign.all())
      void this.foreign.operator(record.placement.executionId, 'stop');
    await endAll(this.#leaving(), reason, timeoutMs);
  }

  #leaving(): Leaving {
    const { clock } = this.#deps;
    return { engine: this.engine, clock, admit: (live) => this.intake.admit(live) };
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
        this.intake.admit(live);
      },
      decided: ({ rule, action }) => {
        const labels = { rule: String(rule), action: action.type };
        deps.metrics.count('limpet_recovery_decisions_total', labels);
      },
      stopLeftover: (live, run) => stopLeftover({ ...deps, client }, live, run),
    });
  }

  #newIntake(client: (name: string) => ExecutorClient | undefined): Intake {
    const { capacity, host, leases } = this.#deps;
    return new Intake({
      engine: this.engine,
      observer: this.#observer,
      deadlines: this.#deadlines,
      leases,
      admission: {
        capacity,
        schemas: this.schemas,
        client,
        health: (name) => host.health().find((h) => h.name === name),
        recovered: (name) => this.#recoveries.has(name),
      },
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
    this.intake.admitWaiting(name);
    this.#deps.changed();
  }
}
