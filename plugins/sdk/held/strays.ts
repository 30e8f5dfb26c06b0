/**
 * Runs whose folder is gone while their processes live. A holder proves what it holds by its environment (marks.ts), and by
 * its own claim, which it keeps open and which names it: pid, start time, boot. Claim, deadline and output are put in their
 * place anew; the holder goes on in there within a second, so that the run is followed and stopped as before.
 */
import { existsSync, mkdirSync, readFileSync, realpathSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from '../../../adapters/durable/write-durably.ts';
import type { ProcessIdentity } from '../../../adapters/processes/port.ts';
import { orderDeadline, parseClaim, readClaim, survivors } from '../held-run.ts';
import type { RawName } from '../raw-files.ts';
import type { RunLabels } from '../run-folder.ts';
import type { ExecutorHost, Observation, RunContext, RunKey, RunSpec } from '../types.ts';
import { commandOf, graceOf } from './launch.ts';
import {
  HELD_FOR,
  heldFor,
  LABELS,
  NO_LABELS,
  NONCE_VARIABLE,
  nonceOf,
  parseLabels,
  runOfNonce,
} from './marks.ts';
import { argumentsOf, freedBytes, leadsTo, parentOf } from './proc-facts.ts';

/** Descriptors of holder.sh. */
const FDS = { stdout: 3, stderr: 4, claim: 5 } as const;
const TAKEN = 'taken';

export interface Stray {
  readonly key: RunKey;
  /** undefined: dead, and work that it has begun is left. */
  readonly holder: Holder | undefined;
}

interface Holder {
  readonly identity: ProcessIdentity;
  readonly claimedAt: number;
  readonly labels: RunLabels;
}

/** All of this agent. */
export function findStrays(host: ExecutorHost): readonly Stray[] {
  const found = new Map<string, Stray>();
  for (const pid of host.processes.findByEnv(HELD_FOR, heldFor(host))) {
    const key = runOfNonce(host.processes.variableOf(pid, NONCE_VARIABLE));
    if (key === undefined || existsSync(join(host.runFolder(key), 'run.json'))) continue;
    add(found, host, { key, pid });
  }
  return [...found.values()];
}

export function findStray(host: ExecutorHost, key: RunKey): Stray | undefined {
  const { processes } = host;
  const found = new Map<string, Stray>();
  const whose = heldFor(host);
  for (const pid of processes.findByEnv(NONCE_VARIABLE, nonceOf(key)))
    if (processes.variableOf(pid, HELD_FOR) === whose) add(found, host, { key, pid });
  return found.get(nonceOf(key));
}

export function observeStray(
  { key, holder }: Stray,
  processes: ExecutorHost['processes'],
): Observation {
  const common = { key, ours: true, marked: true, sameBoot: true };
  if (holder === undefined) return { ...common, specHash: '', phase: 'running' };
  const { identity, claimedAt, labels } = holder;
  const { pid, startTime, bootId } = identity;
  return {
    ...{ ...common, specHash: labels.specHash, startedAt: claimedAt },
    phase: processes.look(identity) === 'stopped' ? 'paused' : 'running',
    handle: `${pid} ${startTime} ${bootId}`,
    facts: { pid: String(pid) },
  };
}

/** What the run folder of a stray has to hold beside run.json; what is there stays as it is. */
export async function writeStray(host: ExecutorHost, { key, holder }: Stray): Promise<void> {
  const folder = host.runFolder(key);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const isMissing = (name: string) => !existsSync(join(folder, name));
  const claim = join(folder, 'claim');
  if (holder === undefined) {
    // Empty: of a holder that is no more.
    if (isMissing('claim')) await writeDurably(claim, '');
    return;
  }
  const { identity, claimedAt, labels } = holder;
  const { pid, startTime, bootId } = identity;
  if (labels.deadlineAt > 0 && isMissing('until')) await orderDeadline(folder, labels.deadlineAt);
  if (isMissing('stdout') && isMissing(TAKEN))
    await writeDurably(
      join(folder, TAKEN),
      `${freedBytes(fdOf(pid, 'stdout'))}:${freedBytes(fdOf(pid, 'stderr'))}`,
    );
  const command = commandHeldBy(host, key, pid);
  if (command !== undefined && isMissing('child'))
    await writeDurably(join(folder, 'child'), `${command.pid} ${command.startTime}\n`);
  if (!isMissing('claim')) return;
  await writeDurably(claim, `${pid} ${startTime} ${bootId}\n`);
  // Between two milliseconds, as fractions of a second are cut off.
  const at = (claimedAt + 0.5) / 1000;
  utimesSync(claim, at, at);
}

/** As far as its holder tells; `paramsOf` makes params of the command. */
export function strayedSpec<Params>(
  { key, holder }: Stray,
  paramsOf: (argv: readonly string[]) => Params,
): RunSpec<Params> {
  const labels = holder?.labels ?? NO_LABELS;
  const argv = holder === undefined ? [] : argumentsOf(holder.identity.pid);
  return {
    ...labels,
    key,
    ...{ digest: '', env: {}, mounts: [], network: '' },
    params: paramsOf(commandOf(argv)),
    limits: { cpuMillis: 0, memoryBytes: 0, pids: 0, diskBytes: 0 },
    stopGraceMs: graceOf(argv),
  };
}

function add(
  found: Map<string, Stray>,
  host: ExecutorHost,
  { key, pid }: { readonly key: RunKey; readonly pid: number },
): void {
  const identity = host.processes.identify(pid);
  if (identity === undefined) return;
  const holder = holderOf(host, key, identity);
  const before = found.get(nonceOf(key));
  if (before === undefined || holder !== undefined) found.set(nonceOf(key), { key, holder });
}

/** undefined: this process is work of the run, not its holder. */
function holderOf(host: ExecutorHost, key: RunKey, identity: ProcessIdentity): Holder | undefined {
  const open = fdOf(identity.pid, 'claim');
  try {
    // By name first: what a command has under this number may be a pipe.
    if (!leadsTo(open, fileOf(host, key, 'claim'))) return undefined;
    const named = parseClaim(readFileSync(open, 'utf8'));
    if (named?.pid !== identity.pid || named.startTime !== identity.startTime) return undefined;
    const labels = parseLabels(host.processes.variableOf(identity.pid, LABELS));
    return { identity: named, claimedAt: Math.floor(statSync(open).mtimeMs), labels };
  } catch {
    return undefined;
  }
}

/** Where the output of a live holder can be read although its folder is gone: it has the files open. */
export function openOutput(host: ExecutorHost, run: RunContext, name: RawName): string | undefined {
  const holder = readClaim(run.folder)?.holder;
  const look = holder === undefined ? 'gone' : host.processes.look(holder);
  if (holder === undefined || (look !== 'alive' && look !== 'stopped')) return undefined;
  const open = fdOf(holder.pid, name);
  return leadsTo(open, fileOf(host, run.spec.key, name)) ? open : undefined;
}

function fdOf(pid: number, name: keyof typeof FDS): string {
  return `/proc/${pid}/fd/${FDS[name]}`;
}

function fileOf(host: ExecutorHost, { executionId, run }: RunKey, name: string): string {
  return join(realpathSync(host.runsDir), executionId, String(run), name);
}

/** A holder has two children: its watcher, which is the same program, and the command. */
function commandHeldBy(host: ExecutorHost, key: RunKey, holder: number) {
  const own = argumentsOf(holder).join('\0');
  return survivors(key, host).find(
    ({ pid }) => parentOf(pid) === holder && argumentsOf(pid).join('\0') !== own,
  );
}
