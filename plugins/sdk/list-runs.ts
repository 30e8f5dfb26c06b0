import type { ExecutorHost, Observation, RunContext } from './types.ts';

/** `list` of an executor whose runs all have a folder: each that has a spec, as `observe` sees it. */
export async function listRuns(
  host: Pick<ExecutorHost, 'runFolders' | 'readRun' | 'runFolder'>,
  observe: (run: RunContext) => Promise<Observation>,
): Promise<readonly Observation[]> {
  const keys = await host.runFolders();
  const specs = await Promise.all(keys.map((key) => host.readRun(key)));
  const known = specs.filter((spec) => spec !== undefined);
  return Promise.all(known.map((spec) => observe({ spec, folder: host.runFolder(spec.key) })));
}
