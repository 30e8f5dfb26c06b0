/**
 * The hand-over: an upgrade puts a new instance of a plugin beside the old one, and each run goes from one to the other by
 * Release and Recover. A run belongs to one instance at a time; who that is stands in the store before anything is done.
 *
 *   state of a plugin     event                         what follows
 *   one instance          program or config differs     next: record `plugin/<name>/next`, spawn, Configure
 *   next is started       it fails                      it is ended, `next` goes; the old one goes on, and that is told
 *                         the old one ends              the new one is all there is: as `all moved`
 *                         it is ready                   new work goes to it; runs of the old one are listed and moved
 *   moving, for each run  -                             row `plugin-run/<name>/<run>` = new (sync); Release; Recover
 *                         the old one ends              the rest is moved without Release
 *                         the new one ends or refuses   back: Release on it, rows go (sync), Recover on the old one
 *   all moved             -                             one batch: the record is the new one's, `next` and rows go;
 *                                                       then the old one is shut down
 *
 *   the agent dies              what the next one finds and does
 *   before next is ready        `next`, no row: both are found again and it begins with the list; a `next` that is not found
 *                               again goes, and the old one goes on
 *   .next-ready                 as above
 *   .owner-written              a row: Release and Recover of that run again, both may be repeated; then the rest
 *   .released                   the same, and after Recover too
 *   .committed                  one record, the new one's; the old process is named by none: swept, its runs are not its own
 *
 *   found again: both           the hand-over goes on, before the executor counts as ready
 *                the old alone  rows and `next` go in one batch; recovery Recovers every run on it
 *                the new alone  it is the record, rows and `next` go in one batch; recovery Recovers every run on it
 *                neither        all goes; a fresh start, as after any loss
 *
 * Calls on a run wait while it is moved (routing.ts), and for nothing else.
 */
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';
import type { PluginDeps } from './options.ts';
import { commitNext, dropNext, ownedByNext, putOwner } from './owners.ts';
import type { RunRef } from './port.ts';
import { isLostAlready, type PluginSession } from './session.ts';
import type { RunRouting } from './routing.ts';

export interface HandoverParts {
  readonly name: string;
  readonly old: PluginSession;
  readonly next: PluginSession;
  readonly routing: RunRouting;
  readonly deps: PluginDeps;
  /** The agent lets go: all stays as it is, for the next one. */
  readonly signal: AbortSignal;
  /** How many runs are still the old one's. */
  left(count: number): void;
}

export type HandoverEnd =
  /** `unseen`: some runs could not be observed by the new one, or only it is left: look at all of them. */
  | { readonly outcome: 'moved'; readonly unseen: boolean }
  | { readonly outcome: 'back'; readonly reason: string; readonly unseen: boolean };

const RETRY_MS = 200;

/** Ends with one owner of everything, in the store too. Errors: `store-failed`, `cancelled`. */
export async function handOver(parts: HandoverParts): Promise<HandoverEnd> {
  const mover = new Mover(parts);
  try {
    return await mover.forward();
  } catch (thrown) {
    parts.signal.throwIfAborted();
    const known = LimpetError.from(thrown);
    if (known.code === 'store-failed') throw known;
    return mover.back(messageOf(thrown));
  }
}

class Mover {
  readonly #parts: HandoverParts;
  readonly #moved: RunRef[] = [];
  #unseen = false;

  constructor(parts: HandoverParts) {
    this.#parts = parts;
  }

  async forward(): Promise<HandoverEnd> {
    const { name, next, routing, deps } = this.#parts;
    deps.faults.reach('agent.plugin.handover.next-ready');
    const begun = await ownedByNext(deps.store, name);
    const listed = await routing.divide(next.client, () => this.#runsOfOld());
    const runs = [...begun, ...listed.filter((ref) => !begun.some((one) => isSame(one, ref)))];
    for (const [i, ref] of runs.entries()) {
      this.#parts.left(runs.length - i);
      await routing.exclusively(ref, () => this.#move(ref));
    }
    this.#checkNext();
    await commitNext(deps.store, next.live.record);
    deps.faults.reach('agent.plugin.handover.committed');
    routing.finish();
    return { outcome: 'moved', unseen: this.#unseen };
  }

  /** As far as the old one lives, all is its own again. */
  async back(reason: string): Promise<HandoverEnd> {
    const { name, old, next, routing, deps } = this.#parts;
    if (isLostAlready(old) && !isLostAlready(next)) {
      await commitNext(deps.store, next.live.record);
      routing.finish();
      return { outcome: 'moved', unseen: true };
    }
    for (const ref of this.#moved)
      if (!isLostAlready(next)) await next.client.release(ref).catch(() => undefined);
    await dropNext(deps.store, name);
    let unseen = false;
    for (const ref of this.#moved)
      await old.client.recover(ref, undefined).catch(() => (unseen = true));
    routing.back();
    return { outcome: 'back', reason, unseen };
  }

  async #runsOfOld(): Promise<readonly RunRef[]> {
    const { old } = this.#parts;
    try {
      const { runs } = await old.client.list();
      return runs.filter(({ ours }) => ours).map(({ executionId, run }) => ({ executionId, run }));
    } catch (thrown) {
      if (!isLostAlready(old)) throw thrown;
      this.#unseen = true;
      return [];
    }
  }

  async #move(ref: RunRef): Promise<void> {
    const { name, old, next, routing, deps, signal } = this.#parts;
    signal.throwIfAborted();
    this.#checkNext();
    const before = await this.#lastSeen(ref);
    await putOwner(deps.store, name, { ref, instance: next.live.record.instance });
    this.#moved.push(ref);
    deps.faults.reach('agent.plugin.handover.owner-written');
    await this.#release(ref);
    deps.faults.reach('agent.plugin.handover.released');
    const seen = await next.client.recover(ref, before?.handle);
    if (isLive(before) && seen.phase === 'absent' && !isLostAlready(old))
      throw new LimpetError(
        'plugin-failed',
        `the new version does not find ${ref.executionId} run ${ref.run}, which runs`,
      );
    this.#unseen ||= seen.phase === 'unobservable';
    routing.moved(ref);
  }

  async #lastSeen(ref: RunRef): Promise<ObservedRun | undefined> {
    const { old } = this.#parts;
    try {
      return await old.client.status(ref);
    } catch (thrown) {
      if (isLostAlready(old)) return undefined;
      throw thrown;
    }
  }

  /** A plugin that is slow is asked again until it answers, or is taken for lost. */
  async #release(ref: RunRef): Promise<void> {
    const { old, deps, signal } = this.#parts;
    while (!isLostAlready(old)) {
      try {
        return await old.client.release(ref);
      } catch (thrown) {
        const { code, message } = LimpetError.from(thrown);
        if (code !== 'timeout' && code !== 'unavailable' && code !== 'plugin-failed')
          throw new LimpetError('plugin-failed', `the running version does not let go: ${message}`);
        this.#checkNext();
      }
      await deps.clock.sleep(RETRY_MS, signal);
    }
  }

  #checkNext(): void {
    const { next } = this.#parts;
    if (isLostAlready(next))
      throw new LimpetError('plugin-failed', `the new version ended: ${next.lostReason}`);
  }
}

function isLive(seen: ObservedRun | undefined): boolean {
  return seen?.phase === 'running' || seen?.phase === 'paused';
}

function isSame(a: RunRef, b: RunRef): boolean {
  return a.executionId === b.executionId && a.run === b.run;
}
