/** Asks a plugin that outlived its agent, by its stored record, without taking it over or starting anything. */
import type { PluginDeps } from './options.ts';
import { DEFAULT_TIMINGS } from './options.ts';
import { GrpcExecutorClient } from './client.ts';
import { prove } from './live-plugin.ts';
import type { ExecutorClient } from './port.ts';
import { identityOf, loadRecord } from './record.ts';

export interface AskedPlugin {
  /** undefined: it cannot be asked, for this reason. */
  readonly client: Pick<ExecutorClient, 'list'> | undefined;
  readonly reason: string;
  close(): void;
}

export async function askLivePlugin(
  name: string,
  deps: Pick<PluginDeps, 'store' | 'clock' | 'processes' | 'log'>,
): Promise<AskedPlugin> {
  const not = (reason: string): AskedPlugin => ({
    client: undefined,
    reason,
    close: () => undefined,
  });
  const record = await loadRecord(deps.store, name, deps.log);
  if (record?.phase !== 'running') return not('its plugin does not run; the agent would start it');
  const look = deps.processes.look(identityOf(record));
  if (look !== 'alive') return not(`its plugin is ${look}; the agent would start it anew`);
  const proof = await prove(
    record,
    { ...deps, timings: DEFAULT_TIMINGS },
    new AbortController().signal,
  );
  if (proof.outcome !== 'ok')
    return not(`its plugin is ${proof.outcome} (${proof.reason}); the agent would start it anew`);
  const { link } = proof.live;
  const client = new GrpcExecutorClient(name, link, {
    paramsSchema: undefined,
    calls: DEFAULT_TIMINGS.calls,
  });
  return { client, reason: '', close: () => link.close() };
}
