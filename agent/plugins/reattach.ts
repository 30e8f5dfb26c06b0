/**
 * Finds the process of a stored record again, in the order of the design: same boot, alive with the same start time, the
 * socket ours, SERVING within the dead time, instance id equal. Whatever fails leads to a fresh start; nothing is
 * signalled here.
 */
import { lstat } from 'node:fs/promises';
import { LimpetError } from '../../core/errors.ts';
import { awaitHandshake } from './await-handshake.ts';
import { findProcess, isAlive } from './ending.ts';
import { runningRecord } from './launch.ts';
import { prove, type Proof } from './live-plugin.ts';
import type { PluginDeps } from './options.ts';
import {
  identityOf,
  saveRecord,
  type PluginIntent,
  type PluginRecord,
  type RunningPlugin,
} from './record.ts';
import { outFile } from './run-dir.ts';

type Failed = Exclude<Proof, { outcome: 'ok' }>;

export interface StoredRecord {
  /** Where it is stored. */
  readonly key: string;
  readonly record: PluginRecord;
}

/** Errors: `store-failed`, `cancelled`. */
export async function reattach(
  { key, record }: StoredRecord,
  deps: PluginDeps,
  signal: AbortSignal,
): Promise<Proof> {
  const running =
    record.phase === 'running' ? record : await completeIntent({ key, record }, deps, signal);
  if ('outcome' in running) return running;
  const look = deps.processes.look(identityOf(running));
  if (look === 'reused')
    return { outcome: 'foreign', reason: `process ${running.Pid} is another one now` };
  if (look !== 'alive' && look !== 'stopped') return { outcome: 'dead', reason: `process ${look}` };
  const strange = await strangeSocket(running.Addr.String);
  if (strange !== undefined) return strange;
  return prove(running, deps, signal);
}

/** The agent died between spawn and handshake: the process, if there is one, is found by its environment. */
async function completeIntent(
  { key, record: intent }: StoredRecord & { readonly record: PluginIntent },
  deps: PluginDeps,
  signal: AbortSignal,
): Promise<RunningPlugin | Failed> {
  const identity = findProcess(deps, intent);
  if (identity === undefined) return { outcome: 'dead', reason: 'it was never started, or ended' };
  try {
    const handshake = await awaitHandshake({
      file: outFile(intent.runDir),
      clock: deps.clock,
      timings: deps.timings,
      signal,
      ended: () => (isAlive(deps, identity) ? undefined : 'ended'),
    });
    const record = runningRecord(intent, { ...identity, ...handshake });
    await saveRecord(deps.store, key, record);
    return record;
  } catch (error) {
    const known = LimpetError.from(error, 'plugin-failed');
    if (known.code !== 'plugin-failed') throw known;
    return { outcome: 'hung', reason: known.message };
  }
}

async function strangeSocket(path: string): Promise<Failed | undefined> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return { outcome: 'hung', reason: `its socket ${path} is gone` };
  if (found.isSocket() && found.uid === process.getuid?.()) return undefined;
  return { outcome: 'foreign', reason: `${path} is not its socket` };
}
