/**
 * `limpet agent reset`: removes everything of this agent on purpose: runs, through the plugins that know how; then the
 * plugins themselves; then its folders and its store. Its identity stays unless told otherwise. Another agent's things on
 * the same engine are none of it: a plugin lists and removes what carries this instance alone.
 *
 * The lock of the store proves that no agent runs meanwhile. Nothing is removed unless every executor could be asked.
 */
import { join } from 'node:path';
import { LimpetError } from '../core/errors.ts';
import { systemClock } from '../adapters/clock/system-clock.ts';
import { removeFolder } from '../adapters/durable/folders.ts';
import { envFaults } from '../adapters/faults/env-faults.ts';
import { identityFile, loadIdentity, saveIdentity } from '../adapters/identity/identity-file.ts';
import type { Logger } from '../adapters/log/port.ts';
import { procProcesses } from '../adapters/processes/proc.ts';
import type { AgentConfig } from './config.ts';
import { jwtFile } from './join/files.ts';
import { ownPlugins } from './own-plugins.ts';
import type { ExecutorClient, PluginHost, RunRef } from './plugins/port.ts';
import { openState, type AgentState } from './state.ts';

export interface ResetOrder {
  readonly dryRun: boolean;
  /** Who it is goes too: it comes back as another node. */
  readonly identity: boolean;
}

export interface ResetReport {
  readonly dryRun: boolean;
  readonly nodeId: string;
  readonly runs: readonly string[];
  /** What plugins keep in their engines beside runs. */
  readonly kept: readonly string[];
  readonly paths: readonly string[];
}

const READY_MS = 30_000;
const POLL_MS = 50;

interface OurRun {
  readonly client: ExecutorClient;
  readonly ref: RunRef;
  readonly text: string;
}

/**
 * Errors: `not-found`, `store-locked` (the agent runs), `unavailable` (an executor cannot be asked), `conflict` (the folder
 * belongs to another machine, and its identity was to stay).
 */
export async function resetAgent(
  config: AgentConfig,
  log: Logger,
  order: ResetOrder,
): Promise<ResetReport> {
  if ((await loadIdentity(config.dataDir)) === undefined)
    throw new LimpetError(
      'not-found',
      `no agent has run in ${config.dataDir}; name its folder with --data`,
    );
  const state = await openState(config, systemClock(), { anyMachine: order.identity });
  const ports = {
    clock: systemClock(),
    processes: procProcesses(),
    faults: envFaults(process.env),
    log,
  };
  const report = await empty(
    state,
    ownPlugins(() => config, state, ports),
    order,
  );
  await state.store[Symbol.asyncDispose]();
  if (order.dryRun) return report;
  for (const path of report.paths) await removeFolder(path);
  // No store is missing at the next start: it has none on purpose.
  if (!order.identity) await saveIdentity(config.dataDir, { ...state.identity, generation: 0 });
  return report;
}

async function empty(
  { identity, folders, runDir, damage }: AgentState,
  host: PluginHost,
  { dryRun, identity: whole }: ResetOrder,
): Promise<ResetReport> {
  const nothing = (): undefined => undefined;
  host.start({ ready: nothing, lost: nothing, wake: nothing, health: nothing });
  let removed = false;
  try {
    const runs = await ourRuns(host);
    if (!dryRun) for (const { client, ref } of runs) await client.remove(ref, true);
    const kept = await leaveEngines(host, dryRun);
    removed = !dryRun;
    const { store, runs: runsDir, logs, inputs, results, plugins } = folders;
    const copies = damage.map(({ copy }) => copy);
    const own = [store, ...copies, runsDir, logs, inputs, results, plugins, runDir];
    const files = [join(folders.data, 'agent.json')];
    if (whole)
      files.push(
        join(folders.data, 'epochs.json'),
        identityFile(folders.data),
        jwtFile(folders.data),
      );
    return {
      ...{ dryRun, nodeId: identity.nodeId },
      runs: runs.map(({ text }) => text),
      kept,
      paths: [...own, ...files],
    };
  } finally {
    await (removed ? host.shutdown() : host.detach());
  }
}

/** Errors: `unavailable`, when there is one that cannot be asked. */
async function ourRuns(host: PluginHost): Promise<OurRun[]> {
  const found: OurRun[] = [];
  for (const { name } of host.health()) {
    const client = await readyClient(host, name);
    for (const { ours, phase, executionId, run } of (await client.list()).runs) {
      if (!ours || phase === 'absent') continue;
      if (phase === 'unobservable')
        throw unasked(name, `its engine cannot be asked about ${executionId} run ${run}`);
      const text = `${name}: ${executionId} run ${run} ${phase}`;
      found.push({ client, ref: { executionId, run }, text });
    }
  }
  return found;
}

async function leaveEngines(host: PluginHost, dryRun: boolean): Promise<string[]> {
  const kept: string[] = [];
  for (const { name } of host.health())
    for (const one of await (await readyClient(host, name)).leave({ dryRun }))
      kept.push(`${name}: ${one}`);
  return kept;
}

async function readyClient(host: PluginHost, name: string): Promise<ExecutorClient> {
  const clock = systemClock();
  const until = clock.uptime() + READY_MS;
  for (;;) {
    const client = host.client(name);
    if (client !== undefined) return client;
    const reason = host.health().find((one) => one.name === name)?.reason ?? '';
    if (clock.uptime() > until) throw unasked(name, reason);
    await clock.sleep(POLL_MS);
  }
}

function unasked(name: string, reason: string): LimpetError {
  return new LimpetError(
    'unavailable',
    `executor ${name} is not ready: ${reason}; nothing was removed; mend it, or disable it in the config to leave its runs`,
  );
}
