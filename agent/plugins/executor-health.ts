/** What one executor's health is made of: the state of its supervision, over the plugin's own fingerprint. */
import type { FingerprintFacts } from './convert.ts';
import type { LivePlugin } from './live-plugin.ts';
import type { ExecutorHealth } from './port.ts';

/**
 *   starting -> ready <-> slow -> backoff -> starting ...
 *   any -> stopped (let go or shut down)
 */
export type SupervisionState =
  | { readonly state: 'starting' }
  | { readonly state: 'ready'; readonly live: LivePlugin; readonly reattached: boolean }
  | { readonly state: 'slow'; readonly live: LivePlugin; readonly reattached: boolean }
  | { readonly state: 'backoff'; readonly reason: string; readonly delayMs: number }
  | { readonly state: 'stopped' };

export interface HealthFacts {
  readonly name: string;
  readonly supervision: SupervisionState;
  /** Why it takes no new work; '' while it does. */
  readonly removed: string;
  /** The newest fingerprint of the live process; undefined before the first. */
  readonly fingerprint: FingerprintFacts | undefined;
  readonly version: string;
  readonly restarts: number;
}

export function executorHealth(facts: HealthFacts): ExecutorHealth {
  const { name, supervision, fingerprint, version, restarts } = facts;
  const common = {
    name,
    version,
    restarts,
    attributes: fingerprint?.attributes ?? {},
    freeSlots: fingerprint?.freeSlots ?? 0,
    ...liveFacts(supervision),
  };
  if (facts.removed !== '') {
    const reason = removedText(facts.removed, supervision);
    return { ...common, health: 'unhealthy', reason, state: 'removed', pending: false };
  }
  const reason = obstacle(supervision);
  const pending = supervision.state === 'starting';
  if (reason !== undefined) return { ...common, health: 'unhealthy', reason, pending };
  if (fingerprint === undefined) {
    const silent = 'the plugin has not told its health yet';
    return { ...common, health: 'unhealthy', reason: silent, pending: true };
  }
  return { ...common, health: fingerprint.health, reason: fingerprint.reason, pending };
}

function obstacle(supervision: SupervisionState): string | undefined {
  switch (supervision.state) {
    case 'ready':
      return undefined;
    case 'starting':
      return 'the plugin is being started';
    case 'slow':
      return 'the plugin is slow: it missed a health check';
    case 'backoff':
      return `${supervision.reason}; next try in ${supervision.delayMs / 1000} s`;
    case 'stopped':
      return 'the agent is stopping';
  }
}

/** Without its process its runs go on, and their ends are not seen. */
function removedText(removed: string, supervision: SupervisionState): string {
  if (supervision.state !== 'backoff') return removed;
  return `${removed}; their ends are seen when it can be started: ${obstacle(supervision)}`;
}

function liveFacts(
  supervision: SupervisionState,
): Pick<ExecutorHealth, 'pid' | 'instance' | 'reattached'> {
  if (supervision.state !== 'ready' && supervision.state !== 'slow') return {};
  const { live, reattached } = supervision;
  return { pid: live.record.Pid, instance: live.record.instance, reattached };
}
