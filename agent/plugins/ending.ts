/** Ends plugin processes whose identity is proven, and nothing else. Runs have holders of their own and go on. */
import type { ProcessIdentity } from '../../adapters/processes/port.ts';
import { ENV_INSTANCE } from '../../plugins/proto/handshake.ts';
import type { PluginLink } from './link.ts';
import type { PluginDeps } from './options.ts';
import type { PluginRecord } from './record.ts';
import { outFile } from './run-dir.ts';

type EndingDeps = Pick<PluginDeps, 'processes' | 'clock' | 'timings'>;

const POLL_MS = 50;

export function isAlive(
  { processes }: Pick<PluginDeps, 'processes'>,
  identity: ProcessIdentity,
): boolean {
  const look = processes.look(identity);
  return look === 'alive' || look === 'stopped';
}

/**
 * The live process of this instance: it carries the instance in its environment and its stdout is the file that was made
 * for it. What it has started inherits the first, not the second; of several the oldest is the plugin itself.
 */
export function findProcess(
  { processes }: Pick<PluginDeps, 'processes'>,
  { instance, runDir }: Pick<PluginRecord, 'instance' | 'runDir'>,
): ProcessIdentity | undefined {
  const out = outFile(runDir);
  const ours = new Set([out, `${out} (deleted)`]);
  return processes
    .findByEnv(ENV_INSTANCE, instance)
    .filter((pid) => ours.has(processes.stdoutOf(pid) ?? ''))
    .map((pid) => processes.identify(pid))
    .filter((identity) => identity !== undefined)
    .sort((a, b) => Number(a.startTime) - Number(b.startTime))[0];
}

/** TERM, a while, then KILL to the whole group. True when it is gone. */
export async function endProcess(deps: EndingDeps, identity: ProcessIdentity): Promise<boolean> {
  deps.processes.signal(identity, 'SIGTERM');
  if (await isGoneWithin(deps, identity)) return true;
  deps.processes.signal(identity, 'SIGKILL', { group: true });
  return isGoneWithin(deps, identity);
}

/** Asks for an orderly exit first; the answer is often cut off by the exit itself. */
export async function shutDown(
  deps: EndingDeps,
  identity: ProcessIdentity,
  link: PluginLink,
): Promise<boolean> {
  await link.controller.shutdown({}, { deadlineMs: deps.timings.exitMs }).catch(() => undefined);
  return (await isGoneWithin(deps, identity)) || endProcess(deps, identity);
}

async function isGoneWithin(deps: EndingDeps, identity: ProcessIdentity): Promise<boolean> {
  const end = deps.clock.uptime() + deps.timings.exitMs;
  while (isAlive(deps, identity)) {
    if (deps.clock.uptime() >= end) return false;
    await deps.clock.sleep(POLL_MS);
  }
  return true;
}
