/** An operator's word: the engine that answers now is the one, runs that another one holds are lost. */
import { LimpetError } from '../../core/errors.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { ExecutorClient, PluginHost } from '../plugins/port.ts';

export type AcceptedEngine = Awaited<ReturnType<ExecutorClient['acceptEngine']>>;

/** Errors: `not-found`, `unavailable`, and those of the plugin. */
export async function acceptEngine(
  { host, log }: { readonly host: PluginHost; readonly log: Logger },
  executor: string,
): Promise<AcceptedEngine> {
  const client = host.client(executor);
  if (client === undefined) {
    const names = host.health().map(({ name }) => name);
    throw names.includes(executor)
      ? new LimpetError('unavailable', `executor ${executor} is not ready: its plugin does not run`)
      : new LimpetError('not-found', `no executor ${executor} here; there are ${names.join(', ')}`);
  }
  const accepted = await client.acceptEngine();
  log.warn('executor.engine-accepted', {
    executor,
    engineId: accepted.engineId,
    givenUp: accepted.givenUp.length,
    reason: 'the word of an operator',
  });
  return accepted;
}
