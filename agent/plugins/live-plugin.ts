/** A plugin process that was proven to be the right one and answers. */
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { InfoResponse } from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { isAlive } from './ending.ts';
import { PluginLink, serves } from './link.ts';
import type { PluginDeps } from './options.ts';
import { identityOf, type RunningPlugin } from './record.ts';
import type { SpawnedPlugin } from './spawn.ts';
import { drainPrints } from './streams.ts';

export interface LivePlugin {
  readonly record: RunningPlugin;
  readonly link: PluginLink;
  readonly info: InfoResponse;
  /** Present when this agent started it. */
  readonly spawned?: SpawnedPlugin;
}

type ProvingDeps = Pick<PluginDeps, 'clock' | 'log' | 'timings' | 'processes'>;

export type Proof =
  | { readonly outcome: 'ok'; readonly live: LivePlugin }
  | { readonly outcome: 'dead' | 'hung' | 'foreign'; readonly reason: string };

/**
 * Dials; SERVING within the dead time; then the instance id that only the right process can know. The link stays open
 * only when all is well. Errors: `cancelled` when the signal fires.
 */
export async function prove(
  record: RunningPlugin,
  deps: ProvingDeps,
  signal: AbortSignal,
): Promise<Proof> {
  const link = new PluginLink(record.Addr.String);
  const proof = await holding(link, signal, () => ask(record, link, deps));
  const { clock, log, timings } = deps;
  if (proof.outcome === 'ok') drainPrints(link, { clock, log, retry: timings.streamRetry });
  else link.close();
  return proof;
}

/** Runs `work` over a link that is closed when it fails or when the signal fires. Errors: `cancelled`, those of `work`. */
export async function holding<T>(
  link: PluginLink,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const close = (): void => link.close();
  signal.addEventListener('abort', close);
  try {
    signal.throwIfAborted();
    const result = await work();
    signal.throwIfAborted();
    return result;
  } catch (error) {
    close();
    if (signal.aborted) throw new LimpetError('cancelled', 'the agent lets go of its plugins');
    throw error;
  } finally {
    signal.removeEventListener('abort', close);
  }
}

async function ask(record: RunningPlugin, link: PluginLink, deps: ProvingDeps): Promise<Proof> {
  const { clock, timings } = deps;
  const alive = (): boolean => isAlive(deps, identityOf(record));
  const failed = (reason: string): Proof =>
    alive() ? { outcome: 'hung', reason } : { outcome: 'dead', reason: 'it ended' };
  if (!(await serves(link, { clock, timings, alive })))
    return failed(`no answer within ${timings.deadMs} ms`);
  try {
    const info = await link.executor.info({}, { deadlineMs: timings.deadMs, signal: link.closed });
    if (info.instanceId === record.instance) return { outcome: 'ok', live: { record, link, info } };
    return { outcome: 'foreign', reason: `it answers as instance '${info.instanceId}'` };
  } catch (error) {
    return failed(`Info failed: ${messageOf(error)}`);
  }
}
