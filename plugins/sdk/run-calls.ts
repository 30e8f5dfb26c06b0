/**
 * The run-level calls. Start, Recover, Stop, Release and Remove of one run go through its mailbox, one at a time.
 *
 *   Start   no run.json      write it (fsynced, folders too), executor.start: what the engine still has of a run whose
 *                            folder was lost is for the executor to find
 *           other spec hash  already-exists
 *           observed         absent, not marked / created: executor.start; running, paused: already running;
 *                            exited or marked: answered as it is, nothing is started
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Faults } from '../../adapters/faults/port.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { EventRing } from './event-ring.ts';
import type { LogTable } from './log-table.ts';
import { Mailboxes } from './mailbox.ts';
import { pause, within } from './pause.ts';
import { keyText, removeRun, runFolder, writeRun } from './run-folder.ts';
import type { RunTable } from './run-table.ts';
import {
  isLive,
  type Executor,
  type ExecutorHost,
  type Observation,
  type RunContext,
  type RunKey,
  type RunSpec,
  type StopOrder,
} from './types.ts';

/** How long Start, Recover and Remove of an ended run wait for its log. */
const SETTLE_BOUND_MS = 10_000;
const WAIT_POLL_MS = 500;
const WAIT_LIMIT_MS = 60_000;

export interface RunCallsPorts<Params> {
  readonly executor: Executor<Params>;
  readonly host: ExecutorHost;
  readonly table: RunTable<Params>;
  readonly logs: LogTable;
  readonly events: EventRing;
  readonly faults: Faults;
  /** Parses a spec's params. Throws `refused` with the path of what is wrong. */
  readonly typed: (spec: RunSpec) => RunSpec<Params>;
}

export class RunCalls<Params> {
  readonly #ports: RunCallsPorts<Params>;
  readonly #mailboxes = new Mailboxes();

  constructor(ports: RunCallsPorts<Params>) {
    this.#ports = ports;
  }

  /** Errors: `already-exists`, `refused`, and what the executor throws. */
  start(spec: RunSpec): Promise<{ readonly seen: Observation; readonly alreadyRunning: boolean }> {
    return this.#mailboxes.run(keyText(spec.key), async () => {
      const { executor } = this.#ports;
      const { run, isNew } = await this.#accept(spec);
      if (isNew) return this.#launch(run);
      const before = await executor.observe(run);
      const there = before.phase === 'running' || before.phase === 'paused';
      if (there || before.phase === 'exited')
        return { seen: await this.#adopt(run, before), alreadyRunning: there };
      if (before.phase === 'unobservable')
        throw new LimpetError('unavailable', 'the engine cannot be asked about this run now');
      if (before.phase === 'removing' || (before.phase === 'absent' && before.marked))
        return { seen: before, alreadyRunning: false };
      return this.#launch(run);
    });
  }

  /** Errors: `not-found`. */
  recover(key: RunKey): Promise<Observation> {
    return this.#mailboxes.run(keyText(key), async () => {
      const run = (await this.#context(key)) ?? (await this.#rebuilt(key));
      if (run === undefined) return this.#listed(key);
      const seen = this.#present(await this.#ports.executor.observe(run));
      return isLive(seen) || seen.phase === 'exited' ? this.#adopt(run, seen) : seen;
    });
  }

  /** Errors: `not-found`. */
  async status(key: RunKey): Promise<Observation> {
    const run = await this.#context(key);
    if (run === undefined) return this.#listed(key);
    const { executor, table } = this.#ports;
    return table.reported(this.#present(await executor.observe(run)));
  }

  /** The state once the run has ended, or at the end of the time. Errors: `not-found`. */
  async wait(key: RunKey, timeoutMs: number, signal: AbortSignal): Promise<Observation> {
    const bound = new AbortController();
    const end = performance.now() + Math.min(timeoutMs, WAIT_LIMIT_MS);
    signal.addEventListener('abort', () => bound.abort(), { once: true });
    const woken = this.#ports.events.follow(0, bound.signal);
    try {
      let news = woken.next();
      for (;;) {
        const seen = await this.status(key);
        const left = end - performance.now();
        if (!isLive(seen) || left <= 0 || signal.aborted) return seen;
        const rung = await Promise.race([
          news.then(() => true),
          pause(Math.min(left, WAIT_POLL_MS), bound.signal).then(() => false),
        ]);
        if (rung) news = woken.next();
      }
    } finally {
      bound.abort();
    }
  }

  async list(): Promise<readonly Observation[]> {
    const { executor, table } = this.#ports;
    const seen = await executor.list();
    for (const one of seen) if (one.ours && this.#lacksFolder(one.key)) await this.#find(one.key);
    return Promise.all(seen.map((one) => table.reported(one)));
  }

  /** Errors: `not-found`. */
  stop(key: RunKey, order: StopOrder): Promise<void> {
    return this.#mailboxes.run(keyText(key), async () => {
      const { executor, table } = this.#ports;
      const known = await this.#context(key);
      const run = this.#lacksFolder(key) ? await this.#rebuilt(key, known) : known;
      if (run === undefined) throw notFound(key);
      const seen = await executor.observe(run);
      if (isLive(seen) || seen.phase === 'exited') void table.supervise(run);
      if (seen.phase !== 'exited') await executor.stop(run, order);
    });
  }

  /** Runs that are not there are passed over. Errors: `unimplemented`. */
  async renew(
    leases: readonly { readonly key: RunKey; readonly untilMs: number }[],
  ): Promise<void> {
    const { executor } = this.#ports;
    if (executor.renew === undefined)
      throw new LimpetError('unimplemented', 'this executor does not renew leases');
    for (const { key, untilMs } of leases) {
      const run = await this.#context(key);
      if (run !== undefined) await executor.renew(run, untilMs);
    }
  }

  release(key: RunKey): Promise<void> {
    return this.#mailboxes.run(keyText(key), () => this.#ports.table.release(key));
  }

  /** Ends what is left, forgets and deletes; the log stays unless `withLogs`. Unknown is fine. */
  remove(key: RunKey, withLogs: boolean): Promise<void> {
    return this.#mailboxes.run(keyText(key), async () => {
      const { executor, table, host, logs, faults } = this.#ports;
      faults.reach('plugin.remove.before');
      const found = async () => (await this.#context(key)) ?? (await this.#rebuilt(key));
      const run = await found().catch(() => undefined);
      if (run !== undefined) await this.#drain(run);
      // What is known of the log is wanted once more.
      const letGo = logs.hold(key.executionId);
      try {
        await table.release(key);
        await executor.remove(key);
        await this.#closeLog(key, withLogs);
      } finally {
        letGo();
      }
      await removeRun(host.runsDir, key);
      faults.reach('plugin.remove.after');
    });
  }

  /** Where the log of an execution ends now. */
  logOffset(key: RunKey): Promise<number> {
    return this.#ports.logs.using(key.executionId, async (log) => log.end);
  }

  async #launch(run: RunContext<Params>) {
    const { executor, table, faults } = this.#ports;
    faults.reach('plugin.start.before');
    const seen = await executor.start(run);
    faults.reach('plugin.start.launched');
    void table.supervise(run, seen);
    return { seen: await table.reported(seen), alreadyRunning: false };
  }

  /** Puts run.json in its place, or compares with the one that is there. */
  async #accept(
    spec: RunSpec,
  ): Promise<{ readonly run: RunContext<Params>; readonly isNew: boolean }> {
    const { host, faults } = this.#ports;
    const stored = await host.readRun(spec.key);
    if (stored !== undefined && stored.specHash !== spec.specHash)
      throw new LimpetError(
        'already-exists',
        `run ${keyText(spec.key)} exists with another spec (${stored.specHash}, not ${spec.specHash})`,
      );
    const run = this.#contextOf(stored ?? spec);
    const isNew = stored === undefined;
    if (isNew) {
      await writeRun(host.runsDir, spec);
      faults.reach('plugin.run-folder.written');
    }
    return { run, isNew };
  }

  /** Supervises; an ended run is given time until its log is complete. */
  async #adopt(run: RunContext<Params>, seen: Observation): Promise<Observation> {
    const settled = this.#ports.table.supervise(run, seen);
    if (seen.phase === 'exited') await within(SETTLE_BOUND_MS, settled);
    return this.#ports.table.reported(seen);
  }

  /** Before the source of an ended run's log is deleted, the log is pumped to its end. */
  async #drain(run: RunContext<Params>): Promise<void> {
    const { executor, table } = this.#ports;
    if (table.hasSettled(run.spec.key)) return;
    const seen = await executor.observe(run).catch(() => undefined);
    const hasEnded = seen?.phase === 'exited' || (seen?.phase === 'absent' && seen.marked);
    if (hasEnded) await within(SETTLE_BOUND_MS, table.supervise(run));
  }

  async #closeLog({ executionId, run }: RunKey, withLogs: boolean): Promise<void> {
    await this.#ports.logs.using(executionId, async (log) => {
      if (withLogs) return log.discard();
      if (log.segments.length > 0 && !log.hasEnded(run)) log.markEnd(run, 'removed');
      return log.sync();
    });
  }

  async #context(key: RunKey): Promise<RunContext<Params> | undefined> {
    const known = this.#ports.table.context(key);
    if (known !== undefined) return known;
    const spec = await this.#ports.host.readRun(key);
    return spec === undefined ? undefined : this.#contextOf(spec);
  }

  /** Its engine may know a run of which the folder is gone. Only in the mailbox of the run. */
  async #rebuilt(key: RunKey, known?: RunContext<Params>): Promise<RunContext<Params> | undefined> {
    const { executor, host } = this.#ports;
    const spec = await executor.rebuild?.(key);
    if (spec === undefined) return known;
    await writeRun(host.runsDir, known?.spec ?? spec, { rebuilt: known === undefined });
    host.log.warn('run folder made anew', { run: keyText(key) });
    return known ?? this.#contextOf(spec);
  }

  /** What cannot be made anew now is listed all the same. */
  #find(key: RunKey): Promise<void> {
    return this.#mailboxes.run(keyText(key), async () => {
      try {
        if (this.#lacksFolder(key)) await this.#rebuilt(key);
      } catch (thrown) {
        const reason = messageOf(thrown);
        this.#ports.host.log.warn('run folder not made anew', { run: keyText(key), reason });
      }
    });
  }

  /** And it can be made anew. */
  #lacksFolder(key: RunKey): boolean {
    const { executor, host } = this.#ports;
    return executor.rebuild !== undefined && !existsSync(join(host.runFolder(key), 'run.json'));
  }

  #contextOf(spec: RunSpec): RunContext<Params> {
    const { host, typed } = this.#ports;
    return { spec: typed(spec), folder: runFolder(host.runsDir, spec.key) };
  }

  /** A run without a folder, of which the engine may still know. */
  async #listed(key: RunKey): Promise<Observation> {
    const all = await this.#ports.executor.list();
    const found = all.find((one) => keyText(one.key) === keyText(key));
    if (found === undefined) throw notFound(key);
    return found;
  }

  /** Absence with a mark is news (the run was lost); without one it is `not-found`. */
  #present(seen: Observation): Observation {
    if (seen.phase === 'absent' && !seen.marked) throw notFound(seen.key);
    return seen;
  }
}

function notFound(key: RunKey): LimpetError {
  return new LimpetError('not-found', `run ${keyText(key)} is not known here`);
}
