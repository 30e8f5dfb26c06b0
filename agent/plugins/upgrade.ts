/** One upgrade of one plugin: the new instance is started beside the old one, and takes over its runs. */
import { LimpetError } from '../../core/errors.ts';
import { startFresh, type Acquired } from './acquire.ts';
import { askParamsSchema } from './configure.ts';
import { handOver } from './handover.ts';
import type { Instance } from './instance.ts';
import type { PluginDeps } from './options.ts';
import { dropNext } from './owners.ts';
import type { PluginSpec } from './port.ts';
import { nextKey } from './record.ts';
import type { RunRouting } from './routing.ts';

export interface UpgradeParts {
  readonly spec: PluginSpec;
  readonly old: Instance;
  readonly routing: RunRouting;
  readonly deps: PluginDeps;
  readonly signal: AbortSignal;
  /** The new instance is there. */
  begin(acquired: Acquired): Instance;
  left(count: number): void;
}

export interface UpgradeEnd {
  /** Who owns everything now. */
  readonly owner: Instance;
  /** Why that is the old one; '' when it is the new one. */
  readonly problem: string;
  /** Not every run was seen by its owner. */
  readonly unseen: boolean;
}

/** Never throws, unless the agent lets go: `cancelled`; then all stays as it is, for the next one. */
export async function upgrade(parts: UpgradeParts): Promise<UpgradeEnd> {
  const { spec, old, deps, signal } = parts;
  try {
    const order = { spec, key: nextKey(spec.name) };
    const next = parts.begin(await startFresh(order, deps, signal));
    return await takeOver(parts, next);
  } catch (thrown) {
    signal.throwIfAborted();
    const problem = LimpetError.from(thrown).message;
    await dropNext(deps.store, spec.name).catch((error: unknown) => {
      deps.log.warn('plugin.next-not-dropped', { error });
    });
    return { owner: old, problem, unseen: false };
  }
}

/** Also of an upgrade that another agent has begun. Whoever is left without runs is ended. Errors: `store-failed`, `cancelled`. */
export async function takeOver(
  { spec, old, routing, deps, signal, left }: Omit<UpgradeParts, 'begin'>,
  next: Instance,
): Promise<UpgradeEnd> {
  const { name } = spec;
  const sessions = { old: old.session, next: next.session };
  const end = await handOver({ name, ...sessions, routing, deps, signal, left });
  const { unseen } = end;
  if (end.outcome === 'moved') {
    await old.retire();
    return { owner: next, problem: '', unseen };
  }
  await next.retire();
  await askParamsSchema(spec, old.live.link, deps).catch(() => undefined);
  return { owner: old, problem: end.reason, unseen };
}
