/**
 * A fresh start: intent record, spawn, handshake, reattach record, proof. A crash after any of these is found again: the
 * intent names the instance, and the process carries it in its environment.
 */
import { LimpetError } from '../../core/errors.ts';
import type { Random } from '../../adapters/clock/port.ts';
import { awaitHandshake } from './await-handshake.ts';
import { endProcess } from './ending.ts';
import { prove, type LivePlugin } from './live-plugin.ts';
import type { PluginDeps } from './options.ts';
import { lastLine, logFile, sizeOf } from './plugin-log.ts';
import type { PluginSpec } from './port.ts';
import { checkPinned, orderOf } from './program.ts';
import { saveRecord, type PluginIntent, type RunningPlugin } from './record.ts';
import { outFile, processDir, removeProcessDir } from './run-dir.ts';
import { spawnPlugin, type SpawnedPlugin } from './spawn.ts';

export interface LaunchOrder {
  readonly spec: PluginSpec;
  /** Where the record goes. */
  readonly key: string;
}

/**
 * Errors: `plugin-failed`, `invalid-config`, `store-failed`, `cancelled` (the agent lets go: then the process is left
 * alone, and the next agent finds it).
 */
export async function launch(
  { spec, key }: LaunchOrder,
  deps: PluginDeps,
  signal: AbortSignal,
): Promise<LivePlugin> {
  const instance = uuid(deps.random);
  const intent: PluginIntent = {
    v: 1,
    phase: 'intent',
    name: spec.name,
    instance,
    runDir: processDir(deps.runDir, instance),
    bootId: deps.processes.bootId(),
    sha256: await checkPinned(spec),
    order: orderOf(spec),
    startedAt: deps.clock.now(),
  };
  await saveRecord(deps.store, key, intent);
  deps.faults.reach('agent.plugin.intent-written');
  const log = logFile(deps.configureFacts.stateDir, spec.name);
  const logFrom = await sizeOf(log);
  const folder = intent.runDir;
  const spawned = await spawnPlugin({ spec, instance, folder, logFile: log, env: deps.env });
  deps.faults.reach('agent.plugin.spawned');
  try {
    return await bringUp(intent, spawned, { key, deps, signal });
  } catch (error) {
    if (signal.aborted) throw error;
    await clearUp(intent, spawned, deps);
    const { code, message } = LimpetError.from(error, 'plugin-failed');
    const said = await lastLine(log, logFrom);
    throw new LimpetError(
      code,
      `plugin ${spec.name} did not start: ${message}${said === '' ? '' : `; it said: ${said}`}`,
      { cause: error },
    );
  }
}

interface BringUp {
  readonly key: string;
  readonly deps: PluginDeps;
  readonly signal: AbortSignal;
}

async function bringUp(
  intent: PluginIntent,
  spawned: SpawnedPlugin,
  { key, deps, signal }: BringUp,
): Promise<LivePlugin> {
  const identity = deps.processes.identify(spawned.pid);
  const { address, appVersion } = await awaitHandshake({
    file: outFile(intent.runDir),
    clock: deps.clock,
    timings: deps.timings,
    signal,
    ended: () => spawned.ended(),
  });
  if (identity === undefined) throw new LimpetError('plugin-failed', 'it ended at once');
  const record = runningRecord(intent, { ...identity, address, appVersion });
  await saveRecord(deps.store, key, record);
  deps.faults.reach('agent.plugin.reattach-written');
  const proof = await prove(record, deps, signal);
  if (proof.outcome !== 'ok') throw new LimpetError('plugin-failed', proof.reason);
  return { ...proof.live, spawned };
}

async function clearUp(
  intent: PluginIntent,
  spawned: SpawnedPlugin,
  deps: PluginDeps,
): Promise<void> {
  const identity = deps.processes.identify(spawned.pid);
  if (spawned.ended() === undefined && identity !== undefined) await endProcess(deps, identity);
  await removeProcessDir(deps.runDir, intent.runDir);
}

export interface Handshaken {
  readonly pid: number;
  readonly startTime: string;
  readonly address: string;
  readonly appVersion: number;
}

export function runningRecord(intent: PluginIntent, found: Handshaken): RunningPlugin {
  return {
    ...intent,
    phase: 'running',
    Protocol: 'grpc',
    ProtocolVersion: found.appVersion,
    Addr: { Network: 'unix', String: found.address },
    Pid: found.pid,
    startTime: found.startTime,
  };
}

/** Version 4. */
function uuid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Buffer.from(bytes).toString('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
