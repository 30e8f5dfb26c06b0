/**
 * The runs that this plugin instance supervises: those it has started or recovered, until Release or Remove.
 *
 *   supervise ---> executor.supervise (until the run has ended)  --+
 *             \--> log pump (until the source has ended)         --+--> settled: reported as it is, agent woken
 *
 * Until then an ended run is reported as running, so that an agent never sees an end before the whole log. The pump gets
 * 10 s after the end of the run; past that the run is reported anyway and the pump goes on by itself.
 */
import type { Faults } from '../../adapters/faults/port.ts';
import { messageOf } from '../../core/errors.ts';
import type { EventRing } from './event-ring.ts';
import { pumpLog } from './log-pump.ts';
import type { LogTable } from './log-table.ts';
import { pause, within } from './pause.ts';
import { keyText } from './run-folder.ts';
import {
  isLive,
  type Executor,
  type LogSource,
  type Observation,
  type PluginLog,
  type RunContext,
  type RunKey,
} from './types.ts';

const PUMP_BOUND_MS = 10_000;
const RELEASE_BOUND_MS = 2000;
const SUPERVISE_RETRY_MS = 1000;
/** One for all: an abort without a reason makes an error with its stack. */
const LET_GO = 'let go of';

export interface RunTablePorts<Params> {
  readonly executor: Executor<Params>;
  readonly logs: LogTable;
  readonly events: EventRing;
  readonly log: PluginLog;
  readonly faults: Faults;
}

interface Supervised<Params> {
  readonly run: RunContext<Params>;
  readonly abort: AbortController;
  /** Lets go of the log. */
  readonly letGo: () => void;
  /** Never rejects. */
  readonly settled: Promise<void>;
  readonly pumped: Promise<void>;
  done: boolean;
}

interface Pumped<Params> {
  readonly run: RunContext<Params>;
  readonly source: LogSource;
  readonly isLive: boolean;
}

export class RunTable<Params> {
  readonly #ports: RunTablePorts<Params>;
  readonly #runs = new Map<string, Supervised<Params>>();

  constructor(ports: RunTablePorts<Params>) {
    this.#ports = ports;
  }

  /** Supervised runs that have not settled. */
  get live(): number {
    return [...this.#runs.values()].filter((run) => !run.done).length;
  }

  /** What is supervised needs no look at `run.json`: that never changes. */
  context(key: RunKey): RunContext<Params> | undefined {
    return this.#runs.get(keyText(key))?.run;
  }

  /** It has ended, and its log is as complete as it will be. */
  hasSettled(key: RunKey): boolean {
    return this.#runs.get(keyText(key))?.done === true;
  }

  /**
   * Begins to supervise a run, once; answers when it has settled. `seen` is what has just been observed, if anything was:
   * one that was seen live after its end (restarted outside of us) is supervised anew, and its log goes on.
   */
  supervise(run: RunContext<Params>, seen?: Observation): Promise<void> {
    const id = keyText(run.spec.key);
    const known = this.#runs.get(id);
    const live = seen !== undefined && isLive(seen);
    if (known !== undefined && !(known.done && live)) return known.settled;
    known?.letGo();
    const abort = new AbortController();
    const source = this.#ports.executor.logs(run, seen);
    const pumped = this.#pump({ run, source, isLive: live }, abort.signal);
    const settled = this.#untilEnded(run, abort.signal, seen).then(async (end) => {
      source.look?.();
      await within(PUMP_BOUND_MS, pumped);
      return end;
    });
    const entry: Supervised<Params> = {
      run,
      abort,
      letGo: this.#ports.logs.hold(run.spec.key.executionId),
      pumped,
      done: false,
      settled: settled.then((end) => {
        if (abort.signal.aborted) return;
        entry.done = true;
        void this.#ring(run, end);
      }),
    };
    this.#runs.set(id, entry);
    return entry.settled;
  }

  /** Lets go of a run without touching it. Unknown is fine. */
  async release(key: RunKey): Promise<void> {
    const entry = this.#runs.get(keyText(key));
    if (entry === undefined) return;
    this.#runs.delete(keyText(key));
    entry.abort.abort(LET_GO);
    await within(RELEASE_BOUND_MS, Promise.all([entry.settled, entry.pumped]));
    entry.letGo();
  }

  /** Lets go of all runs without touching them. */
  async releaseAll(): Promise<void> {
    for (const entry of this.#runs.values()) entry.abort.abort();
    const entries = [...this.#runs.values()];
    this.#runs.clear();
    const all = entries.flatMap(({ settled, pumped }) => [settled, pumped]);
    await within(RELEASE_BOUND_MS, Promise.all(all));
    for (const entry of entries) entry.letGo();
  }

  /** What may be said of an observation now. */
  async reported(observed: Observation): Promise<Observation> {
    const followed = this.#runs.get(keyText(observed.key))?.done === false;
    const seen = followed ? { ...observed, supervised: true } : observed;
    if (seen.phase !== 'exited' || (await this.#isTold(seen.key))) return seen;
    const { outcome: _outcome, finishedAt: _finishedAt, ...rest } = seen;
    return { ...rest, phase: 'running' };
  }

  /** Wakes the agent, with the end that it would ask for. */
  async #ring(run: RunContext<Params>, end: Observation | undefined): Promise<void> {
    const { executor, events } = this.#ports;
    const seen = end ?? (await executor.observe(run).catch(() => undefined));
    events.push(run.spec.key, seen?.phase === 'exited' ? seen : undefined);
  }

  async #isTold({ executionId, run }: RunKey): Promise<boolean> {
    const entry = this.#runs.get(keyText({ executionId, run }));
    if (entry !== undefined) return entry.done;
    return this.#ports.logs.using(executionId, async (log) => log.hasEnded(run));
  }

  async #untilEnded(
    run: RunContext<Params>,
    signal: AbortSignal,
    seen: Observation | undefined,
  ): Promise<Observation | undefined> {
    const { executor, log } = this.#ports;
    while (!signal.aborted) {
      try {
        return (await executor.supervise(run, signal, seen)) ?? undefined;
      } catch (thrown) {
        if (signal.aborted) return;
        log.error('supervise failed', { run: keyText(run.spec.key), reason: messageOf(thrown) });
        await pause(SUPERVISE_RETRY_MS, signal);
      }
    }
    return undefined;
  }

  async #pump(
    { run: context, source, isLive }: Pumped<Params>,
    signal: AbortSignal,
  ): Promise<void> {
    const { logs, log, faults } = this.#ports;
    const { executionId, run } = context.spec.key;
    const ending = (when: 'before' | 'after') => faults.reach(`plugin.exit.${when}-record`);
    try {
      await logs.using(executionId, (target) =>
        pumpLog({ log: target, run, isLive }, source, signal, { log, ending }),
      );
    } catch (thrown) {
      log.error('log pump failed', { executionId, run, reason: messageOf(thrown) });
    }
  }
}
