/**
 * Leases: work whose job says `Disconnect: {StopAfter}` goes on for that long after the last word from its owner.
 *
 * A lease runs from the send time of the last heartbeat that was acknowledged: by /proc/uptime within a boot (suspended
 * time counts), by wall clock across boots. That moment is stored before a leased run starts and with every further
 * acknowledgement, so that a restarted agent neither prolongs nor forgets a lease. What is over stays over, whoever
 * answers afterwards; that is stored too. Holders are told the end of each lease and keep it when nobody else is left.
 */
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import { isTerminal } from '../../core/execution/states.ts';
import type { Clock, Timer } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { Store } from '../../adapters/store/port.ts';
import type { ExecutorClient } from '../plugins/port.ts';
import type { LiveExecution } from './live.ts';

const KEY = 'meta/lease';
/** A timer does not count suspended time: it looks at the clock at least this often. */
const LOOK_MS = 5_000;

const momentSchema = z.object({ wallAt: z.number(), uptimeAt: z.number(), bootId: z.string() });
const storedSchema = z.object({
  v: z.literal(1),
  acknowledged: momentSchema,
  over: z.array(z.string()),
});

export type Moment = z.infer<typeof momentSchema>;

export interface LeaseDeps {
  readonly store: Pick<Store, 'get' | 'batch'>;
  readonly clock: Clock;
  readonly bootId: string;
  readonly log: Logger;
}

export interface LeasePorts {
  executions(): Iterable<LiveExecution>;
  client(executor: string): ExecutorClient | undefined;
  /** Its lease is over: whatever that means for it now. */
  look(live: LiveExecution): void;
}

export class Leases {
  readonly #deps: LeaseDeps;
  readonly #over: Set<string>;
  #acknowledged: Moment | undefined;
  /** The moment is of this process. One that was loaded may be older than what was accepted after it. */
  #isOwn = false;
  #isStored = false;
  #ports: LeasePorts | undefined;
  #timer: Timer | undefined;
  #queue: Promise<void> = Promise.resolve();
  /** Executors that are being told. */
  readonly #renewing = new Set<string>();

  constructor(deps: LeaseDeps, stored?: z.infer<typeof storedSchema>) {
    this.#deps = deps;
    this.#acknowledged = stored?.acknowledged;
    this.#over = new Set(stored?.over);
  }

  static async load(deps: LeaseDeps): Promise<Leases> {
    const value = await deps.store.get(KEY);
    return new Leases(deps, value === undefined ? undefined : storedSchema.parse(value));
  }

  /** From now on what is over is looked at. */
  watch(ports: LeasePorts): void {
    this.#ports = ports;
    this.arm();
  }

  /** To be taken when a heartbeat is sent. */
  moment(): Moment {
    const { clock, bootId } = this.#deps;
    return { wallAt: clock.now(), uptimeAt: clock.uptime(), bootId };
  }

  /** The heartbeat that was sent at that moment has been answered. */
  acknowledged(sent: Moment): Promise<void> {
    this.#queue = this.#queue.then(async () => {
      this.#latch();
      this.#acknowledged = sent;
      this.#isOwn = true;
      this.#isStored = false;
      if (this.#leased().length === 0) return;
      await this.#store().catch((thrown: unknown) => this.#warn('lease.not-stored', thrown));
      this.arm();
    });
    // The next one does not wait for plugins: one of them may be silent.
    return this.#queue.then(() => this.#renew(this.#leased(), this.#renewing));
  }

  isOver(record: ExecutionRecord): boolean {
    const { executionId, leaseMs } = record.placement;
    return leaseMs !== undefined && (this.#over.has(executionId) || this.#leftMs(record) <= 0);
  }

  /** Before a run starts. Errors: those of the store. */
  async begin({ record }: LiveExecution): Promise<void> {
    if (record.placement.leaseMs === undefined) return;
    if (!this.#isStored) await this.#store();
    this.arm();
  }

  /** Once it has started: its holder keeps the lease too. */
  async begun(live: LiveExecution): Promise<void> {
    if (live.record.placement.leaseMs !== undefined) await this.#renew([live], new Set());
  }

  /** Looks again when the next lease is over. */
  arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const left = this.#leased().map(({ record }) => this.#leftMs(record));
    if (left.length === 0) return;
    const delay = Math.min(LOOK_MS, Math.max(0, Math.min(...left)));
    this.#timer = this.#deps.clock.after(delay, () => {
      this.#latch();
      this.arm();
    });
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** Those under a lease that is not over. */
  #leased(): LiveExecution[] {
    return [...(this.#ports?.executions() ?? [])].filter(
      ({ record }) =>
        record.placement.leaseMs !== undefined &&
        !isTerminal(record.state) &&
        !this.#over.has(record.placement.executionId),
    );
  }

  /** What is over now stays over. */
  #latch(): void {
    for (const live of this.#leased().filter(({ record }) => this.#leftMs(record) <= 0)) {
      const { executionId } = live.record.placement;
      this.#over.add(executionId);
      this.#deps.log.warn('lease.over', { execution: executionId });
      this.#ports?.look(live);
    }
  }

  #leftMs({ placement, acceptedAt }: ExecutionRecord): number {
    if (placement.leaseMs === undefined) return Number.POSITIVE_INFINITY;
    const { clock, bootId } = this.#deps;
    const since = this.#acknowledged;
    const unknown = since === undefined || (!this.#isOwn && since.wallAt < acceptedAt);
    if (unknown) return placement.leaseMs - (clock.now() - acceptedAt);
    const elapsed =
      since.bootId === bootId ? clock.uptime() - since.uptimeAt : clock.now() - since.wallAt;
    return placement.leaseMs - elapsed;
  }

  async #store(): Promise<void> {
    if (this.#acknowledged === undefined) return;
    const live = new Set([...(this.#ports?.executions() ?? [])].map(idOf));
    for (const id of this.#over) if (!live.has(id)) this.#over.delete(id);
    const value = { v: 1, acknowledged: this.#acknowledged, over: [...this.#over] };
    await this.#deps.store.batch([{ type: 'put', key: KEY, value }]);
    this.#isStored = true;
  }

  /** No executor waits for another; those that `but` names are left out. */
  async #renew(leased: readonly LiveExecution[], but: ReadonlySet<string>): Promise<void> {
    const running = leased.filter(({ record }) => ['starting', 'running'].includes(record.state));
    const executors = [...new Set(running.map(executorOf))].filter((name) => !but.has(name));
    await Promise.all(
      executors.map((executor) =>
        this.#renewAt(
          executor,
          running.filter((live) => executorOf(live) === executor),
        ),
      ),
    );
  }

  /** A plugin that cannot be asked now, or cannot keep leases, leaves it to this agent. */
  async #renewAt(executor: string, running: readonly LiveExecution[]): Promise<void> {
    const leases = running.map(({ record }) => ({
      ref: { executionId: record.placement.executionId, run: record.run },
      untilMs: Math.ceil(this.#deps.clock.now() + this.#leftMs(record)),
    }));
    this.#renewing.add(executor);
    try {
      await this.#ports?.client(executor)?.renew(leases);
    } catch (thrown) {
      if (LimpetError.from(thrown).code !== 'unimplemented')
        this.#warn('lease.not-renewed', thrown);
    } finally {
      this.#renewing.delete(executor);
    }
  }

  #warn(event: string, thrown: unknown): void {
    this.#deps.log.warn(event, { reason: LimpetError.from(thrown).message });
  }
}

function idOf({ record }: LiveExecution): string {
  return record.placement.executionId;
}

function executorOf({ record }: LiveExecution): string {
  return record.placement.task.Engine.Type;
}
