/** How the agent comes by a live, configured plugin: by its stored record, or by a fresh start. */
import { askParamsSchema, configure } from './configure.ts';
import { endProcess, findProcess } from './ending.ts';
import { launch, type LaunchOrder } from './launch.ts';
import { holding, type LivePlugin } from './live-plugin.ts';
import type { PluginDeps } from './options.ts';
import { commitNext, dropNext, forget } from './owners.ts';
import type { PluginSpec } from './port.ts';
import { reattach, type StoredRecord } from './reattach.ts';
import { loadNext, loadRecord, nextKey, recordKey, type PluginRecord } from './record.ts';
import { removeProcessDir } from './run-dir.ts';

export interface Acquired {
  readonly live: LivePlugin;
  readonly reattached: boolean;
  readonly paramsSchema: unknown;
}

export interface Found {
  readonly main: Acquired;
  /** The new instance of an upgrade that was under way. */
  readonly next?: Acquired;
}

/**
 * undefined leads to a fresh start; what was provenly left of stored processes that were not found again is ended. Of an
 * upgrade that was under way both instances are answered, or the one that is there, which owns everything then. Errors:
 * `store-failed`.
 */
export async function findAgain(
  spec: PluginSpec,
  deps: PluginDeps,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const { store, log } = deps;
  const { name } = spec;
  const [record, after] = [await loadRecord(store, name, log), await loadNext(store, name, log)];
  const again = new Reattaching(spec, deps, signal);
  const next = after && (await again.stored({ key: nextKey(name), record: after }, 'configure'));
  // The old one of an upgrade has another config.
  const how = next === undefined ? 'configure' : 'as it is';
  const main = record && (await again.stored({ key: recordKey(name), record }, how));
  if (signal.aborted) {
    for (const found of [main, next]) found?.live.link.close();
    return undefined;
  }
  if (main !== undefined && next !== undefined) return { main, next };
  if (next !== undefined) await commitNext(store, next.live.record);
  else await dropNext(store, name);
  const only = main ?? next;
  return only && { main: only };
}

class Reattaching {
  readonly #spec: PluginSpec;
  readonly #deps: PluginDeps;
  readonly #signal: AbortSignal;

  constructor(spec: PluginSpec, deps: PluginDeps, signal: AbortSignal) {
    this.#spec = spec;
    this.#deps = deps;
    this.#signal = signal;
  }

  /** Never throws. */
  async stored(stored: StoredRecord, how: 'configure' | 'as it is'): Promise<Acquired | undefined> {
    const [deps, signal] = [this.#deps, this.#signal];
    try {
      const result = await reattach(stored, deps, signal);
      if (result.outcome === 'ok') return await this.#taken(result.live, how);
      deps.log.warn('plugin.not-reattached', { outcome: result.outcome, reason: result.reason });
    } catch (error) {
      if (signal.aborted) return undefined;
      deps.log.warn('plugin.not-reattached', { outcome: 'failed', error });
    }
    await clear(stored.record, deps);
    return undefined;
  }

  #taken(live: LivePlugin, how: 'configure' | 'as it is'): Promise<Acquired> {
    const [deps, signal] = [this.#deps, this.#signal];
    if (how === 'configure') return configured(this.#spec, live, { deps, signal });
    return holding(live.link, signal, async () => {
      const paramsSchema = await askParamsSchema(this.#spec, live.link, deps);
      return { live, paramsSchema, reattached: true };
    });
  }
}

/** Errors: `plugin-failed`, `invalid-config`, `store-failed`, `cancelled`. */
export async function startFresh(
  order: LaunchOrder,
  deps: PluginDeps,
  signal: AbortSignal,
): Promise<Acquired> {
  const live = await launch(order, deps, signal);
  try {
    return await configured(order.spec, live, { deps, signal });
  } catch (error) {
    if (!signal.aborted) await clear(live.record, deps);
    throw error;
  }
}

async function configured(
  spec: PluginSpec,
  live: LivePlugin,
  { deps, signal }: { readonly deps: PluginDeps; readonly signal: AbortSignal },
): Promise<Acquired> {
  return holding(live.link, signal, async () => {
    const paramsSchema = await configure(spec, live.link, deps);
    // What it can do may depend on its config.
    const options = { deadlineMs: deps.timings.calls.configureMs, signal: live.link.closed };
    const info = await live.link.executor.info({}, options);
    return { live: { ...live, info }, paramsSchema, reattached: live.spawned === undefined };
  });
}

/** Ends what is provenly left of a process, and deletes its folder. */
export async function clear(
  record: Pick<PluginRecord, 'instance' | 'runDir'>,
  deps: PluginDeps,
): Promise<void> {
  const left = findProcess(deps, record);
  if (left !== undefined && !(await endProcess(deps, left))) {
    deps.log.error('plugin.cannot-be-ended', { pid: left.pid, instance: record.instance });
    return;
  }
  await removeProcessDir(deps.runDir, record.runDir);
}

/** Ends what is provenly left of the plugin's processes, and forgets it. Errors: `store-failed`. */
export async function clearStored(name: string, deps: PluginDeps): Promise<void> {
  for (const load of [loadRecord, loadNext]) {
    const record = await load(deps.store, name, deps.log);
    if (record !== undefined) await clear(record, deps);
  }
  await forget(deps.store, name);
}
