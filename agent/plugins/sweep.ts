/**
 * What earlier agents left in the run folder and no record names: folders of processes that never came to be, and plugin
 * processes that nobody would find again (a store that was put back to an older state). Proven ones are ended; their runs
 * have holders of their own.
 */
import { clear } from './acquire.ts';
import type { PluginDeps } from './options.ts';
import { forget } from './owners.ts';
import { loadAllRecords } from './record.ts';
import { removeProcessDir, type FoundDir } from './run-dir.ts';

/** `found` was listed before any plugin of this agent was started; `names` are the plugins that are configured. */
export async function sweep(
  found: readonly FoundDir[],
  names: ReadonlySet<string>,
  deps: PluginDeps,
): Promise<void> {
  const records = await loadAllRecords(deps.store);
  for (const record of records.filter(({ name }) => !names.has(name))) {
    deps.log.info('plugin.removed', { plugin: record.name, instance: record.instance });
    await clear(record, deps);
    await forget(deps.store, record.name);
  }
  // Records come before their folders, so what is named by none is of no launch that is under way.
  const known = new Set(records.map((record) => record.runDir));
  for (const { folder, instance } of found.filter((dir) => !known.has(dir.folder))) {
    deps.log.info('plugin.swept', { folder, instance });
    if (instance === '') await removeProcessDir(deps.runDir, folder);
    else await clear({ instance, runDir: folder }, deps);
  }
}
