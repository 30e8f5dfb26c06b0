/**
 * Turns what an executor shows into events, by `decide`. Everything that looks at the world ends here: wake-ups from
 * plugins, the 30 s list, deadlines, and recovery whenever a plugin becomes ready.
 *
 * A decision is taken inside the mailbox, and only if nothing has changed since the observation was made and no effect
 * is under way; else the execution is looked at again.
 */
import { LimpetError } from '../../core/errors.ts';
import { backoffMs } from '../../core/backoff.ts';
import { decide, type Action, type Decision } from '../../core/execution/decide.ts';
import type { ExecutionEvent } from '../../core/execution/events.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';
import type { ExecutionRecord, StopReason } from '../../core/execution/record.ts';
import { isTerminal } from '../../core/execution/states.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { ExecutorClient, SeenEnd } from '../plugins/port.ts';
import type { ExecutionEngine, Known } from './engine.ts';
import type { Leases } from './lease.ts';
import type { LiveExecution } from './live.ts';
import { headsOf } from './output-heads.ts';
import { hasPublisher } from './results.ts';

export interface ObserverDeps {
  readonly engine: ExecutionEngine;
  readonly clock: Clock;
  readonly log: Logger;
  client(executor: string): ExecutorClient | undefined;
  readonly leases: Leases;
  /** Tries to admit an accepted execution (or leaves it waiting). */
  admit(live: LiveExecution): void;
  /** Counts what recovery decides. */
  decided(decision: Decision): void;
  /** Stop and remove one leftover run. */
  stopLeftover(live: LiveExecution, run: number): Promise<void>;
}

/** What an observation is worth. */
interface Basis {
  /** Of the record when it was made; `same-run`: it holds as long as the record is of that run. */
  readonly revision: number | 'same-run';
  readonly recovering?: boolean;
  readonly known?: Known | undefined;
}

const RETRY = { firstMs: 250, lastMs: 30_000 };
const LOOK_AGAIN_MS = 1_000;
/** A stop that its plugin has taken is given again only after this: the end itself wakes us. */
const STOP_AGAIN_MS = 5_000;
const REMOVING_LIMIT_MS = 60_000;

export class Observer {
  readonly #deps: ObserverDeps;

  constructor(deps: ObserverDeps) {
    this.#deps = deps;
  }

  /** Asks the executor about one execution and acts on the answer. Repeated calls coalesce. */
  look(live: LiveExecution): void {
    if (live.record.removed) return;
    if (live.looking || live.effects > 0) {
      live.lookAgain = true;
      return;
    }
    live.looking = true;
    live.lookAgain = false;
    void this.#look(live).finally(() => {
      live.looking = false;
      if (live.lookAgain) this.look(live);
    });
  }

  /** A plugin tells the end of a run, which nothing can undo: no look is needed when it is that of the present run. */
  ended(live: LiveExecution, { seen, log }: SeenEnd): void {
    const plain = seen.run === live.record.run && live.leftovers.size === 0 && !live.unsupervised;
    if (!plain || live.effects > 0 || live.looking) this.look(live);
    else void this.apply(live, [seen], { revision: 'same-run', known: publication(live, log) });
  }

  /** Called when the last effect of an execution is done. */
  idle(live: LiveExecution): void {
    if (live.lookAgain) this.look(live);
  }

  /** Looks again later, with back-off, because something could not be done now. */
  retry(live: LiveExecution, reason: string): void {
    if (live.retryTimer !== undefined || live.record.removed) return;
    const delay = backoffMs(RETRY, live.retries);
    live.retries += 1;
    this.#deps.log.warn('execution.retry', {
      execution: live.record.placement.executionId,
      state: live.record.state,
      inMs: delay,
      reason,
    });
    this.#later(live, delay);
  }

  /** Decides on an observation made when the record stood at `revision`. In recovery an adoption is recorded. */
  async apply(
    live: LiveExecution,
    observed: readonly ObservedRun[],
    { revision, known, recovering = false }: Basis,
  ): Promise<void> {
    await live.serial(async () => {
      if (isStale(live.record, observed, revision) || live.effects > 0) {
        live.lookAgain = true;
        return;
      }
      const now = this.#deps.clock.now();
      const removing = live.removingSince > 0 && now - live.removingSince > REMOVING_LIMIT_MS;
      const decision = decide({
        record: live.record,
        observed,
        now,
        removingTooLong: removing,
        leaseOver: this.#deps.leases.isOver(live.record),
        unconfirmed: live.record.unconfirmed === true,
      });
      this.#deps.log.debug('execution.decided', {
        execution: live.record.placement.executionId,
        rule: decision.rule,
        action: decision.action.type,
        why: decision.why,
      });
      const { action, why } = decision;
      if (decision.found !== undefined)
        await this.#deps.engine.step(live, { type: 'found', run: decision.found });
      if (recovering) this.#deps.decided(decision);
      if (recovering && action.type === 'adopt')
        await this.#deps.engine.step(live, { ...startedEvent(action.run, now), adopted: why });
      else await this.#act(live, decision, known);
    });
  }

  async #look(live: LiveExecution): Promise<void> {
    const { record } = live;
    const client = this.#deps.client(record.placement.task.Engine.Type);
    if (client === undefined) return;
    try {
      const ref = { executionId: record.placement.executionId, run: record.run };
      const observed = live.unsupervised
        ? await client.recover(ref, record.handle)
        : await client.status(ref);
      if (observed.phase !== 'unobservable') live.unsupervised = false;
      const leftovers = await this.#leftovers(live, client);
      await this.apply(live, [observed, ...leftovers], { revision: record.revision });
    } catch (thrown) {
      this.retry(live, LimpetError.from(thrown).message);
    }
  }

  /** Older runs that had to be stopped: the next one waits until they are gone. */
  async #leftovers(live: LiveExecution, client: ExecutorClient): Promise<ObservedRun[]> {
    const { run: current, placement } = live.record;
    const observed: ObservedRun[] = [];
    for (const run of [...live.leftovers].filter((leftover) => leftover !== current)) {
      const seen = await client.status({ executionId: placement.executionId, run });
      if (seen.phase === 'absent' || seen.phase === 'exited') live.leftovers.delete(run);
      else observed.push(seen);
    }
    return observed;
  }

  async #act(live: LiveExecution, { action, why }: Decision, known?: Known): Promise<void> {
    const event = eventOf(action, this.#deps.clock.now());
    if (event !== undefined) return this.#deps.engine.step(live, event, known);
    switch (action.type) {
      case 'wait':
        this.retry(live, why);
        return;
      case 'look-again':
        live.removingSince ||= this.#deps.clock.now();
        this.#later(live, LOOK_AGAIN_MS);
        return;
      case 'stop-leftover':
        live.leftovers.add(action.run);
        await this.#deps.stopLeftover(live, action.run);
        this.#later(live, LOOK_AGAIN_MS);
        return;
      case 'stop':
        return this.#stop(live, action.stop);
      case 'end-unstarted':
        return this.#endUnstarted(live, action.stop);
      case 'start-created':
      case 'resume':
        this.#resume(live);
        return;
      default:
        this.#runEffectOf(live, action);
    }
  }

  #runEffectOf(live: LiveExecution, action: Action): void {
    const { engine } = this.#deps;
    // `done` too: no observation shows a folder of the run, nor its inputs, and removing what is not there is harmless.
    if (action.type === 'remove-leftovers' || action.type === 'done')
      engine.runEffect(live, { type: 'remove' });
    else if (action.type === 'publish') engine.runEffect(live, { type: 'publish' });
    else if (action.type === 'next-run') {
      engine.runEffect(live, { type: 'remove-run', run: live.record.run });
      engine.runEffect(live, { type: 'schedule-restart', at: action.at });
    }
  }

  async #stop(live: LiveExecution, stop: StopReason): Promise<void> {
    if (live.record.state !== 'stopping') {
      await this.#deps.engine.step(live, { type: 'stop', ...stop });
    } else if (live.stopTaken) {
      live.stopTaken = false;
      this.#later(live, STOP_AGAIN_MS);
    } else {
      this.#deps.engine.runEffect(live, { type: 'stop' });
    }
  }

  async #endUnstarted(live: LiveExecution, stop: StopReason): Promise<void> {
    await this.#deps.engine.step(live, { type: 'stop', ...stop });
    if (!isTerminal(live.record.state))
      await this.#deps.engine.step(live, { type: 'nothing-to-stop' });
  }

  /** Goes on from the stored state by running its effect again. */
  #resume(live: LiveExecution): void {
    const { state } = live.record;
    if (state === 'accepted') this.#deps.admit(live);
    else if (state === 'preparing') this.#deps.engine.runEffect(live, { type: 'prepare' });
    else if (state === 'starting') this.#deps.engine.runEffect(live, { type: 'start' });
  }

  #later(live: LiveExecution, delayMs: number): void {
    live.retryTimer?.cancel();
    live.retryTimer = this.#deps.clock.after(delayMs, () => {
      live.retryTimer = undefined;
      this.look(live);
    });
  }
}

/** Of work that publishes nothing but the head of its output, which came with the news of its end. */
function publication({ record }: LiveExecution, log: SeenEnd['log']): Known | undefined {
  if (log === undefined || hasPublisher(record)) return undefined;
  const output = headsOf(log);
  return ({ type }) => (type === 'publish' ? { type: 'published', output } : undefined);
}

function isStale(
  record: ExecutionRecord,
  observed: readonly ObservedRun[],
  revision: Basis['revision'],
): boolean {
  if (revision !== 'same-run') return record.revision !== revision;
  return observed.some(({ run }) => run !== record.run);
}

/** The event that an action is, when it is nothing but an event. */
function eventOf(action: Action, now: number): ExecutionEvent | undefined {
  switch (action.type) {
    case 'end-restarting':
      return { ...action.stop, type: 'stop' };
    case 'conclude':
      return { ...action, type: 'exited' };
    case 'adopt':
      return startedEvent(action.run, now);
    case 'refuse':
    case 'lost':
      return action;
    default:
      return undefined;
  }
}

function startedEvent(
  { run, startedAt, handle }: ObservedRun,
  now: number,
): Extract<ExecutionEvent, { type: 'started' }> {
  return {
    type: 'started',
    run,
    startedAt: startedAt ?? now,
    ...(handle === undefined ? {} : { handle }),
  };
}
