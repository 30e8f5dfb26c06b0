/**
 * Runs of this node without a record. Each is imported: kept as it is, under its own deadline, until its owner claims it
 * or tells with proof that it has to go, or an operator says what is to become of it.
 *
 *   alive                      running, counted in what is in use
 *   created                    kept, never started
 *   exited, or gone and marked  ended by the usual rules; result and log are kept
 *   removing                   left; the next list shows what has become of it
 */
import { LimpetError } from '../../core/errors.ts';
import { decide } from '../../core/execution/decide.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';
import { newRecord, type ExecutionRecord } from '../../core/execution/record.ts';
import { isTerminal } from '../../core/execution/states.ts';
import type { ExecutionId, NodeId } from '../../core/ids.ts';
import type { Placement } from '../../core/job.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { ExecutorClient } from '../plugins/port.ts';
import type { ExecutionEngine } from './engine.ts';
import { rebuildPlacement, UNKNOWN_ATTEMPT } from './import-placement.ts';
import type { LiveExecution } from './live.ts';
import type { Observer } from './observer.ts';

/** What proves that a word on foreign work comes from who placed it. */
export interface OwnerProof {
  /** The requester that this node is linked to; '' when there is none. */
  readonly requesterId: string;
  /** Since when this node has known the requester's store, ms; a store that was lost and begun anew is another one. */
  readonly knownSince: number;
}

export interface ForeignDeps {
  readonly engine: ExecutionEngine;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeId: NodeId;
  readonly runsDir: string;
  owner(): OwnerProof | undefined;
  /** It is live now: arm its deadline. */
  imported(live: LiveExecution): void;
}

export class ForeignWork {
  readonly #deps: ForeignDeps;
  /** Ids whose import is under way: two lists may meet in one run. */
  readonly #taking = new Set<string>();

  constructor(deps: ForeignDeps) {
    this.#deps = deps;
  }

  /** Everything that was imported, is not over, and was not claimed. */
  all(): LiveExecution[] {
    return [...this.#deps.engine.all()].filter(
      ({ record }) => record.foreign !== undefined && !isTerminal(record.state),
    );
  }

  /** All observed runs of one execution without a record. Answers those that stay without one. */
  async take(
    client: ExecutorClient,
    runs: readonly ObservedRun[],
  ): Promise<readonly ObservedRun[]> {
    const { clock, log, observer } = this.#deps;
    const { action, why } = decide({
      ...{ record: undefined, observed: runs, now: clock.now(), removingTooLong: false },
    });
    if (action.type !== 'import' || action.run.phase === 'removing') return runs;
    const { run } = action;
    if (this.#taking.has(run.executionId)) return [];
    this.#taking.add(run.executionId);
    try {
      const live = await this.#import(client.name, run, why);
      const { revision } = live.record;
      const ref = { executionId: run.executionId, run: run.run };
      // Only what the plugin has recovered is supervised by it; what was never started needs none of it.
      const fresh = run.phase === 'created' ? run : await client.recover(ref, run.handle);
      await observer.apply(live, [...runs.filter((one) => one !== run), fresh], { revision });
      return [];
    } catch (thrown) {
      const { code, message } = LimpetError.from(thrown);
      if (code !== 'invalid-id') throw thrown;
      log.warn('foreign.not-imported', { executor: client.name, reason: message });
      return runs;
    } finally {
      this.#taking.delete(run.executionId);
    }
  }

  /** The owner's placement of something foreign. False: there is nothing foreign under this id. */
  async claim(placement: Placement): Promise<boolean> {
    const live = this.#deps.engine.get(placement.executionId);
    if (live?.record.foreign === undefined) return false;
    const { specHash, token } = live.record.placement;
    const known = token.attempt !== UNKNOWN_ATTEMPT;
    if (known && specHash !== placement.specHash)
      throw new LimpetError(
        'conflict',
        `foreign ${placement.executionId} was begun for another spec than its owner sends`,
      );
    await this.#deps.engine.dispatch(placement.executionId, { type: 'claim', placement });
    return true;
  }

  /** The owner says that it has to go. False: it is not foreign, and the order an ordinary one. */
  async ownerStop(id: ExecutionId, reason: string): Promise<boolean> {
    const live = this.#deps.engine.get(id);
    if (live?.record.foreign === undefined || isTerminal(live.record.state)) return false;
    const { foreign, startedAt = foreign.since } = live.record;
    const doubt = this.#doubt(live.record, Math.min(startedAt, foreign.since));
    if (doubt !== undefined) {
      this.#deps.log.warn('foreign.stop-not-proven', { execution: id, reason: doubt });
      return true;
    }
    await this.#word(live, { by: 'owner', word: 'stop', reason });
    return true;
  }

  /** An operator's word is final. Errors: `not-found`. */
  async operator(id: ExecutionId, word: 'adopt' | 'stop'): Promise<void> {
    const live = this.#deps.engine.get(id);
    if (live?.record.foreign === undefined || isTerminal(live.record.state))
      throw new LimpetError('not-found', `this node has nothing foreign under ${id}`);
    await this.#word(live, { by: 'operator', word, reason: 'stopped by an operator' });
  }

  /** Why an order to stop proves nothing; undefined when it does. */
  #doubt({ placement }: ExecutionRecord, begunAt: number): string | undefined {
    const proof = this.#deps.owner();
    if (proof === undefined) return 'this node is linked to no requester';
    if (placement.owner !== proof.requesterId)
      return `its owner is ${placement.owner || 'not known'}, and ${proof.requesterId} wants it stopped`;
    return proof.knownSince < begunAt
      ? undefined
      : 'the store of its owner is younger here than it, and may lack what the one before it knew';
  }

  async #word(
    live: LiveExecution,
    told: {
      readonly by: 'owner' | 'operator';
      readonly word: 'adopt' | 'stop';
      readonly reason: string;
    },
  ): Promise<void> {
    const { by, word, reason } = told;
    const { engine, log } = this.#deps;
    log.info('foreign.answered', { execution: live.record.placement.executionId, by, word });
    await live.serial(async () => {
      await engine.step(live, { type: 'answer', by, word });
      const alive = live.record.state === 'running';
      const unstarted = live.record.state === 'starting' && by === 'operator';
      if (word === 'stop' && (alive || unstarted))
        await engine.step(live, { type: 'stop', by: 'stop', reason });
    });
  }

  async #import(executor: string, run: ObservedRun, why: string): Promise<LiveExecution> {
    const { clock, engine, nodeId, runsDir } = this.#deps;
    const { placement, digest, unknown } = await rebuildPlacement(run, {
      ...{ executor, nodeId, runsDir },
    });
    const now = clock.now();
    const { startedAt, handle } = run;
    const record: ExecutionRecord = {
      ...newRecord(placement, now),
      state: run.phase === 'created' ? 'starting' : 'running',
      run: run.run,
      // Above every revision that its owner may have heard of before the record was lost.
      revision: Math.floor(now / 1000),
      digest,
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(handle === undefined ? {} : { handle }),
      foreign: { since: now, unknown },
    };
    const live = await engine.importForeign(record, `found ${run.phase}: ${why}`);
    this.#deps.imported(live);
    return live;
  }
}
