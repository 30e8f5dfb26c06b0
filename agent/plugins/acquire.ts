/** How the agent comes by a live, configured plugin: by its stored record, or by a fresh start. */
import { configure } from './configure.ts';
import { endProcess, findProcess } from './ending.ts';
import { launch } from './launch.ts';
import { holding, type LivePlugin } from './live-plugin.ts';
import type { PluginDeps } from './options.ts';
import type { PluginSpec } from './port.ts';
import { reattach } from './reattach.ts';
import { loadRecord, type PluginRecord } from './record.ts';
import { removeProcessDir } from './run-dir.ts';

export interface Acquired {
  readonly live: LivePlugin;
  readonly reattached: boolean;
  readonly paramsSchema: unknown;
}

/** undefined leads to a fresh start; then what was provenly left of the stored process is ended. Never throws. */
export async function reattachStored(
  spec: PluginSpec,
  deps: PluginDeps,
  signal: AbortSignal,
): Promise<Acquired | undefined> {
  const { store, log } = deps;
  const record = await loadRecord(store, spec.name, log);
  if (record === undefined) return undefined;
  try {
    const result = await reattach(record, deps, signal);
    if (result.outcome === 'ok') return await configured(spec, result.live, { deps, signal });
    log.warn('plugin.not-reattached', { outcome: result.outcome, reason: result.reason });
  } catch (error) {
    if (signal.aborted) return undefined;
    log.warn('plugin.not-reattached', { outcome: 'failed', error });
  }
  await clear(record, deps);
  return undefined;
}

/** Errors: `plugin-failed`, `invalid-config`, `store-failed`, `cancelled`. */
export async function startFresh(
  spec: PluginSpec,
  deps: PluginDeps,
  signal: AbortSignal,
): Promise<Acquired> {
  const live = await launch(spec, deps, signal);
  try {
    return await configured(spec, live, { deps, signal });
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
  const paramsSchema = await holding(live.link, signal, () => configure(spec, live.link, deps));
  return { live, paramsSchema, reattached: live.spawned === undefined };
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
