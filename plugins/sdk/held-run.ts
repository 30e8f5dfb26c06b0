/**
 * Runs that a holder process holds: what the files of the run folder and the processes of this host say of one.
 *
 *   no claim                          absent, not marked: the run has never begun
 *   exit record                       exited, with the outcome it names
 *   claim of another boot             absent, marked, not this boot (the agent: lost, interrupted)
 *   claim, holder alive               running; state T: paused
 *   claim, holder dead, nothing left  absent, marked (the agent: lost)
 *   claim, holder dead, work left     running until the last process with the run's nonce is gone: a next run must wait
 *
 * The nonce is the variable LIMPET_RUN in the environment of the holder and, inherited, of all that it starts.
 */
import { statSync } from 'node:fs';
import { uptime } from 'node:os';
import { dirname, join } from 'node:path';
import { readIfThere } from '../../adapters/durable/if-there.ts';
import { writeDurably } from '../../adapters/durable/write-durably.ts';
import type { Processes, ProcessIdentity } from '../../adapters/processes/port.ts';
import { LimpetError } from '../../core/errors.ts';
import { OUTCOME_CAUSES, type Outcome } from '../../core/execution/outcome.ts';
import { HELD_FOR, NONCE_VARIABLE, nonceOf, runsDirOf } from './held/marks.ts';
import { runFolder } from './run-folder.ts';
import type { ExecutorHost, Observation, RunContext, RunKey } from './types.ts';

export interface Claim {
  /** undefined: the holder died, or the host went down, between making and writing the claim. */
  readonly holder: ProcessIdentity | undefined;
  readonly at: number;
}

export interface ExitRecord {
  readonly outcome: Outcome;
  readonly finishedAt: number;
}

/** The mark of a held run; undefined when it has not begun. */
export function readClaim(folder: string): Claim | undefined {
  const file = join(folder, 'claim');
  const text = readIfThere(file);
  if (text === undefined) return undefined;
  const at = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return { holder: parseClaim(text), at: Math.floor(at) };
}

/** `<pid> <start time> <boot id>` */
export function parseClaim(text: string): ProcessIdentity | undefined {
  const match = /^(\d+) (\d+) (\S+)\n/.exec(text);
  const [, pid, startTime, bootId] = match ?? [];
  if (pid === undefined || startTime === undefined || bootId === undefined) return undefined;
  return { pid: Number(pid), startTime, bootId };
}

/** undefined when there is none. Errors: `store-corrupt`. */
export function readExit(folder: string): ExitRecord | undefined {
  const text = readIfThere(join(folder, 'exit'));
  return text === undefined ? undefined : parseExit(text, folder);
}

/** `<by> <code or -> <finished at, ms> <reason>` */
export function parseExit(text: string, folder: string): ExitRecord {
  const [, cause, code, finished, reason] = /^(\w+) (-|\d+) (\d+) ?(.*)\n?$/.exec(text) ?? [];
  const by = OUTCOME_CAUSES.find((known) => known === cause);
  if (by === undefined || reason === undefined)
    throw new LimpetError(
      'store-corrupt',
      `the exit record in ${folder} cannot be read: '${text}'`,
    );
  const outcome = code === '-' ? { by, reason } : { by, code: Number(code), reason };
  return { outcome, finishedAt: Number(finished) };
}

export function formatExit(record: ExitRecord): string {
  const { by, code, reason } = record.outcome;
  return `${by} ${code ?? '-'} ${record.finishedAt} ${reason.replaceAll(/\s+/g, ' ')}\n`;
}

/** What is there now; no side effects. `folder` and `spec.key` of the context are what counts. */
export function observeHeld(run: RunContext, processes: Processes): Observation {
  const { spec, folder } = run;
  const common = { key: spec.key, ours: true, specHash: spec.specHash };
  const claim = readClaim(folder);
  if (claim === undefined) return { ...common, phase: 'absent', marked: false, sameBoot: false };
  const sameBoot = isThisBoot(claim, processes);
  const marked = { ...common, marked: true, sameBoot, startedAt: claim.at, ...describe(claim) };
  // Looked at before the exit record is: a holder writes that just before it dies.
  const look = claim.holder === undefined ? 'gone' : processes.look(claim.holder);
  const exit = readExit(folder);
  if (exit !== undefined) {
    // A holder may know whole seconds only.
    const finishedAt = Math.max(exit.finishedAt, claim.at);
    return { ...marked, phase: 'exited', outcome: exit.outcome, finishedAt };
  }
  if (look === 'alive') return { ...marked, phase: 'running' };
  if (look === 'stopped') return { ...marked, phase: 'paused' };
  const host = { runsDir: dirname(dirname(folder)), processes };
  if (sameBoot && survivors(spec.key, host).length > 0) return { ...marked, phase: 'running' };
  return { ...marked, phase: 'absent' };
}

type Host = Pick<ExecutorHost, 'runsDir' | 'processes'>;

/** Processes that belong to a run by its nonce, holder included. */
export function survivors(key: RunKey, host: Host): readonly ProcessIdentity[] {
  const { processes } = host;
  return processes
    .findByEnv(NONCE_VARIABLE, nonceOf(key))
    .filter((pid) => !isOfCopy(pid, key, host))
    .map((pid) => processes.identify(pid))
    .filter((identity) => identity !== undefined);
}

/** KILLs whatever is left of a run, by identity. Answers how many processes it signalled. */
export function killSurvivors(key: RunKey, host: Host): number {
  return survivors(key, host).filter((one) => host.processes.signal(one, 'SIGKILL')).length;
}

/**
 * It is held for a run of the same name that lies elsewhere, such as that of a copy of this agent's folder. When there is no
 * claim at that place any more, the folder was moved here.
 */
function isOfCopy(pid: number, key: RunKey, { processes, runsDir }: Host): boolean {
  const there = runsDirOf(processes.variableOf(pid, HELD_FOR));
  if (there === undefined) return false;
  const theirs = claimFile(there, key);
  const own = claimFile(runsDir, key);
  return theirs !== undefined && (theirs.ino !== own?.ino || theirs.dev !== own.dev);
}

function claimFile(runsDir: string, key: RunKey) {
  const file = join(runFolder(runsDir, key), 'claim');
  return statSync(file, { throwIfNoEntry: false, bigint: true });
}

/** Sets the absolute deadline that the holder keeps; 0 takes it away. */
export async function orderDeadline(folder: string, deadlineAt: number): Promise<void> {
  await writeDurably(join(folder, 'until'), `${deadlineAt}\n`);
}

/** The same for a new end of the run's lease; a deadline that comes first stays. */
export async function orderLease({ folder, spec }: RunContext, untilMs: number): Promise<void> {
  const { deadlineAt } = spec;
  if (deadlineAt > 0 && deadlineAt <= untilMs) return orderDeadline(folder, deadlineAt);
  await writeDurably(join(folder, 'until'), `${untilMs} lease\n`);
}

/** The end of the run's lease, ms, if it has one. */
export function readLease(folder: string): number | undefined {
  const [, until] = /^(\d+) lease\n/.exec(readIfThere(join(folder, 'until')) ?? '') ?? [];
  return until === undefined ? undefined : Number(until);
}

function isThisBoot(claim: Claim, processes: Processes): boolean {
  if (claim.holder !== undefined) return claim.holder.bootId === processes.bootId();
  return claim.at >= Date.now() - uptime() * 1000;
}

function describe({ holder }: Claim) {
  if (holder === undefined) return {};
  const handle = `${holder.pid} ${holder.startTime} ${holder.bootId}`;
  return { handle, facts: { pid: String(holder.pid) } };
}
