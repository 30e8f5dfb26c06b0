/**
 * Runs whenever a plugin becomes ready (agent start, plugin restart, engine back) and as a plain list every 30 s.
 * One list per executor; what is alive is recovered, so that this plugin supervises it; then `decide` for every
 * execution of that executor. Afterwards the executor counts as recovered and takes new work.
 */
import { LimpetError } from '../../core/errors.ts';
import { parseExecutionId } from '../../core/ids.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import { isTerminal } from '../../core/execution/states.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { ExecutorClient } from '../plugins/port.ts';
import type { ExecutionEngine } from './engine.ts';
import { listRuns } from './listing.ts';
import type { LiveExecution } from './live.ts';
import type { Observer } from './observer.ts';

export interface RecoveryDeps {
  readonly engine: ExecutionEngine;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly log: Logger;
  /** What has no record: imports it; answers what stays without one. */
  foreign(client: ExecutorClient, runs: readonly ObservedRun[]): Promise<readonly ObservedRun[]>;
  /** The record of an execution that is not in memory. Rejects when it cannot be read: then it counts as none. */
  stored(executionId: string): Promise<ExecutionRecord | undefined>;
  /** This executor takes work from now on. */
  recovered(executor: string, report: RecoveryReport): void;
}

export interface RecoveryReport {
  readonly executor: string;
  readonly adopted: number;
  readonly ended: number;
  readonly tookMs: number;
  /** Observed and ours, and still without a record: on its way out, or under an id that is none of ours. */
  readonly foreign: readonly ObservedRun[];
}

const PARALLEL = 16;
const RETRY_MS = 1_000;

export class Recovery {
  readonly #deps: RecoveryDeps;
  /** Newest generation of each plugin; an older pass gives up. */
  readonly #generation = new Map<string, number>();

  constructor(deps: RecoveryDeps) {
    this.#deps = deps;
  }

  async recover(client: ExecutorClient, generation: number): Promise<void> {
    const { clock, log } = this.#deps;
    this.#generation.set(client.name, generation);
    for (;;) {
      if (this.#generation.get(client.name) !== generation) return;
      try {
        const report = await this.#pass(client);
        this.#deps.recovered(client.name, report);
        return;
      } catch (thrown) {
        log.warn('recovery.retry', {
          executor: client.name,
          reason: LimpetError.from(thrown).message,
        });
        await clock.sleep(RETRY_MS);
      }
    }
  }

  /** One list; whatever does not look as stored is looked at. Wake-ups can be lost, the list is the truth. */
  async relist(client: ExecutorClient): Promise<void> {
    const executions = this.#of(client.name);
    const runs = await this.#list(client);
    const observed = groupById(runs);
    await this.#strays(client, observed);
    for (const live of executions)
      if (!isAsStored(live, observed.get(live.record.placement.executionId) ?? []))
        this.#deps.observer.look(live);
  }

  async #pass(client: ExecutorClient): Promise<RecoveryReport> {
    const startedAt = this.#deps.clock.now();
    const executions = this.#of(client.name);
    const revisions = new Map(executions.map((live) => [live, live.record.revision]));
    const runs = await this.#list(client);
    const observed = groupById(runs);
    let adopted = 0;
    let ended = 0;
    await inParallel(executions, async (live) => {
      const revision = revisions.get(live) ?? live.record.revision;
      const mine = await this.#supervised(
        client,
        live,
        observed.get(live.record.placement.executionId) ?? [],
      );
      await this.#deps.observer.apply(live, mine, { revision, recovering: true });
      if (live.lookAgain) this.#deps.observer.look(live);
      if (mine.some((run) => run.phase === 'running' || run.phase === 'paused')) adopted += 1;
      if (mine.some((run) => run.phase === 'exited')) ended += 1;
    });
    const foreign = await this.#strays(client, observed);
    return {
      executor: client.name,
      adopted,
      ended,
      tookMs: this.#deps.clock.now() - startedAt,
      foreign,
    };
  }

  /** Recover of the current run, so that this plugin supervises it and its log; others stay as listed. */
  async #supervised(
    client: ExecutorClient,
    live: LiveExecution,
    listed: readonly ObservedRun[],
  ): Promise<readonly ObservedRun[]> {
    const { record } = live;
    const newest = listed.reduce<ObservedRun | undefined>(
      (a, b) => (b.ours && (a === undefined || b.run > a.run) ? b : a),
      undefined,
    );
    live.unsupervised = newest?.phase === 'unobservable';
    if (newest === undefined || newest.phase === 'unobservable' || newest.phase === 'created')
      return listed;
    if (isFollowed(newest, record)) return listed;
    const handle = newest.run === record.run ? record.handle : undefined;
    const fresh = await client.recover(
      { executionId: record.placement.executionId, run: newest.run },
      handle,
    );
    return [...listed.filter((run) => run !== newest), fresh];
  }

  /** What is left of executions that are long over is removed; what has no record at all is imported. */
  async #strays(
    client: ExecutorClient,
    observed: ReadonlyMap<string, readonly ObservedRun[]>,
  ): Promise<ObservedRun[]> {
    const { engine } = this.#deps;
    const rest: ObservedRun[] = [];
    const live = new Set(
      [...engine.all()].map(({ record }) => String(record.placement.executionId)),
    );
    for (const [id, all] of observed) {
      const runs = all.filter(({ ours }) => ours);
      if (runs.length === 0 || live.has(id)) continue;
      const record = await this.#deps.stored(id).catch(() => undefined);
      if (record === undefined || !isTerminal(record.state))
        rest.push(...(await this.#deps.foreign(client, runs)));
      else for (const { run } of runs) await client.remove({ executionId: id, run }, false);
    }
    return rest;
  }

  #list(client: ExecutorClient): Promise<readonly ObservedRun[]> {
    const { engine, log } = this.#deps;
    const record = async (id: string) =>
      engine.get(parseExecutionId(id))?.record ?? this.#deps.stored(id);
    return listRuns(client, { log, record });
  }

  #of(executor: string): LiveExecution[] {
    return [...this.#deps.engine.all()].filter(
      (live) => live.record.placement.task.Engine.Type === executor,
    );
  }
}

/** Whom its plugin has followed all the while, as it is stored: to recover it would change nothing. */
function isFollowed(seen: ObservedRun, record: ExecutionRecord): boolean {
  const { run, startedAt, supervised } = seen;
  return supervised === true && run === record.run && startedAt === record.startedAt;
}

/** A run that goes on as it did, which most of them do. */
function isAsStored({ record }: LiveExecution, observed: readonly ObservedRun[]): boolean {
  const [only, ...others] = observed;
  return (
    record.state === 'running' &&
    others.length === 0 &&
    only?.phase === 'running' &&
    only.run === record.run &&
    only.startedAt === record.startedAt
  );
}

function groupById(runs: readonly ObservedRun[]): Map<string, ObservedRun[]> {
  const groups = new Map<string, ObservedRun[]>();
  for (const run of runs) {
    const group = groups.get(run.executionId);
    if (group === undefined) groups.set(run.executionId, [run]);
    else group.push(run);
  }
  return groups;
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const lane = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, lane));
}
