/** What an operator sees of one plugin. */
import type { PluginFact } from '../../wire/plugins.ts';
import type { SupervisionState } from './executor-health.ts';
import type { Instance } from './instance.ts';
import type { ExecutorHealth, PluginSpec } from './port.ts';

export interface FactParts {
  readonly spec: PluginSpec;
  readonly health: ExecutorHealth;
  readonly state: PluginFact['state'];
  /** Beside that of its health. */
  readonly note: string;
  readonly instance: Instance | undefined;
  readonly runs: number;
  readonly upgrade: { readonly next: Instance; readonly runsLeft: number } | undefined;
}

export function stateOf(
  { state }: SupervisionState,
  { removed, upgrading }: { readonly removed: boolean; readonly upgrading: boolean },
): PluginFact['state'] {
  if (state === 'stopped') return state;
  if (removed) return 'removed';
  if (state === 'backoff') return 'restarting';
  if (state === 'ready') return upgrading ? 'upgrading' : 'running';
  return state;
}

export function factOf(parts: FactParts): PluginFact {
  const { spec, health, state, note, instance, runs, upgrade } = parts;
  const { name, version, restarts } = health;
  const reason = [health.reason, note].filter((text) => text !== '').join('; ');
  return {
    ...{ name, source: spec.source ?? 'config', command: spec.command, path: pathOf(spec) },
    ...{ pinned: spec.sha256 !== undefined, state, health: health.health, reason, version },
    ...{ reattached: health.reattached ?? false, restarts, runs },
    ...liveFacts(instance),
    ...(upgrade === undefined ? {} : { upgrade: upgradeFact(upgrade) }),
  };
}

/** Of what is refused, and has no process. */
export function refusedFact(spec: PluginSpec, health: ExecutorHealth): PluginFact {
  const parts = { spec, health, note: '', instance: undefined, runs: 0, upgrade: undefined };
  return factOf({ ...parts, state: 'refused' });
}

/** The program itself: of a script that this Node runs, the script. */
function pathOf({ command }: PluginSpec): string {
  const own = command.find((word) => word.startsWith('/') && word !== process.execPath);
  return own ?? command[0] ?? '';
}

/** By the names that the contract gives them. */
const CAPABILITIES = [
  ['exec', 'exec'],
  ['tty', 'tty'],
  ['stats', 'stats'],
  ['renew', 'renew'],
  ['held', 'held'],
  ['preparesOnce', 'prepares_once'],
] as const;

function liveFacts(instance: Instance | undefined) {
  if (instance === undefined) return { capabilities: [] };
  const { record, info } = instance.live;
  const { startedAt } = record;
  const { capabilities } = info;
  const claimed = CAPABILITIES.filter(([field]) => capabilities?.[field] === true);
  return {
    sha256: record.sha256,
    protocol: record.ProtocolVersion,
    pid: record.Pid,
    instance: record.instance,
    address: record.Addr.String,
    ...(startedAt === undefined ? {} : { startedAt }),
    capabilities: claimed.map(([, name]) => name),
  };
}

function upgradeFact({ next, runsLeft }: NonNullable<FactParts['upgrade']>) {
  const { record, info } = next.live;
  return { version: info.version, pid: record.Pid, runsLeft };
}
