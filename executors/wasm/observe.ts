/** Runs as their folders and holders show them; on top of the SDK's rules for held runs. No side effects. */
import fs from 'node:fs/promises';
import path from 'node:path';
import {
  observeHeld,
  parseExit,
  type Observation,
  type Outcome,
  type Processes,
  type RunContext,
  type RunKey,
  type RunSpec,
} from '../../plugins/sdk/index.ts';
import { RUN_FILE, readStop, type Identity } from './record.ts';

const KILLED = 137;

export async function observeRun(run: RunContext, processes: Processes): Promise<Observation> {
  const seen = observeHeld(run, processes);
  if (seen.phase !== 'absent' || !seen.marked || !seen.sameBoot) return seen;
  // The runner died in this boot and left no record, and the guest with it.
  const finishedAt = await lastOutputAt(run.folder, seen.startedAt ?? 0);
  return { ...seen, phase: 'exited', outcome: withoutRecord(run.folder), finishedAt };
}

/** As its folder shows a run that its runner has just claimed. */
export function claimedBy(holder: Identity, { key, specHash }: RunSpec, startedAt: number) {
  const { pid, startTime, bootId } = holder;
  return {
    ...{ key, ours: true, specHash, phase: 'running', marked: true, sameBoot: true, startedAt },
    ...{ handle: `${pid} ${startTime} ${bootId}`, facts: { pid: String(pid) } },
  } as const satisfies Observation;
}

/** As its folder shows it once the exit record says this; undefined when it has to be looked at. */
export function endedOf(
  seen: Observation | undefined,
  record: string | undefined,
  folder: string,
): Observation | undefined {
  if (record === undefined || seen?.phase !== 'running' || seen.startedAt === undefined)
    return undefined;
  const { outcome, finishedAt } = parseExit(record, folder);
  return { ...seen, phase: 'exited', outcome, finishedAt: Math.max(finishedAt, seen.startedAt) };
}

/** On our order, or it crashed. */
function withoutRecord(folder: string): Outcome {
  const order = readStop(folder);
  if (order !== undefined) return { by: order.by, code: KILLED, reason: order.reason };
  return { by: 'signal', code: KILLED, reason: 'the runner died without an exit record' };
}

/** The best guess at when a run without a record ended. */
async function lastOutputAt(folder: string, startedAt: number): Promise<number> {
  const times = await Promise.all(
    [RUN_FILE.stdout, RUN_FILE.stderr].map((name) =>
      fs.stat(path.join(folder, name)).then(
        (stats) => Math.floor(stats.mtimeMs),
        () => 0,
      ),
    ),
  );
  return Math.max(startedAt, ...times);
}

/** Stands in for the spec of a folder whose `run.json` cannot be read, so that its holder is still seen. */
export function unreadableSpec(key: RunKey): RunSpec {
  return {
    key,
    specHash: '',
    jobId: '',
    jobName: '',
    kind: '',
    owner: '',
    token: '',
    params: undefined,
    env: {},
    mounts: [],
    limits: { cpuMillis: 0, memoryBytes: 0, pids: 0, diskBytes: 0 },
    network: '',
    deadlineAt: 0,
    digest: '',
    stopGraceMs: 0,
  };
}
