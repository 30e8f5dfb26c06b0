/** The end of a simulated world: what was told against what was true. */
import { z } from 'zod';
import { OUTCOME_CAUSES } from '../../core/execution/outcome.ts';
import { EXECUTION_STATES, isTerminal } from '../../core/execution/states.ts';
import type { Cluster } from './cluster.ts';
import { placedTwice, unowned } from './ownership.ts';

const toldSchema = z.object({
  state: z.enum(EXECUTION_STATES),
  run: z.number(),
  outcome: z
    .object({ by: z.enum(OUTCOME_CAUSES), code: z.number().optional(), reason: z.string() })
    .optional(),
  finishedAt: z.number().optional(),
});
type Told = z.infer<typeof toldSchema>;

const ownedSchema = toldSchema.extend({
  id: z.string(),
  jobId: z.string(),
  desired: z.enum(['run', 'stop']),
  deadlineAt: z.number().optional(),
  token: z.object({ partition: z.number() }),
});
type Owned = z.infer<typeof ownedSchema>;

/** Everything that is wrong; empty when all is well. */
export function verdict(cluster: Cluster, unrest: string | undefined): readonly string[] {
  const found = [...cluster.ledger.violations];
  if (unrest !== undefined) found.push(`it does not come to rest: ${unrest}`);
  if (cluster.spins) found.push(`it spins: ${cluster.clock.ran} timers have run`);
  const owned = cluster.disk.read('exec/').map(([, value]) => ownedSchema.parse(value));
  const kept = keptBy(cluster);
  for (const execution of owned) {
    const complain = (text: string): void => void found.push(`${execution.id}: ${text}`);
    judge(cluster, execution, complain);
    agree(execution, kept.get(execution.id), complain);
  }
  const known = new Set(owned.map(({ id }) => id));
  found.push(...unowned(cluster, kept, known), ...placedTwice(cluster, kept));
  found.push(...doubled(owned), ...lostJobs(cluster), ...leftOvers(cluster));
  return [...new Set(found)];
}

function keptBy({ sites }: Cluster): ReadonlyMap<string, Told> {
  const all = sites.flatMap(({ disk }) => disk.read('ex/'));
  return new Map(all.map(([key, value]) => [key.slice(3), toldSchema.parse(value)]));
}

type Complain = (text: string) => void;

/** Is the end that its owner was told the one that it had? */
function judge(cluster: Cluster, told: Owned, complain: Complain): void {
  const runs = cluster.ledger.of(told.id);
  const { state, outcome } = told;
  const is = JSON.stringify([state, told.run, outcome]);
  const was = JSON.stringify(runs);
  if (!isTerminal(state)) return complain(`has not ended: ${is}`);
  if (runs.some(({ run }) => run > told.run)) complain(`${is}, though a later run began: ${was}`);
  if (state === 'declined') {
    if (runs.length > 0) complain(`declined, and yet it ran: ${was}`);
    return;
  }
  if (outcome === undefined) return complain(`has ended without an outcome: ${is}`);
  judgeEnd(cluster, { told, outcome }, (text) => complain(`told ${is}, ${text}: ${was}`));
  const good = outcome.by === 'exit' && outcome.code === 0 && !cluster.endless.has(told.jobId);
  if ((state === 'completed') !== good) complain(`told ${is}, which does not fit`);
}

interface End {
  readonly told: Owned;
  readonly outcome: NonNullable<Owned['outcome']>;
}

function judgeEnd({ ledger, restartable, witness }: Cluster, end: End, complain: Complain): void {
  const { told, outcome } = end;
  const ref = { executionId: told.id, run: told.run };
  const ended = ledger.of(told.id).find(({ run }) => run === told.run)?.ended;
  const tampered = ledger.isTampered(ref);
  const between = restartable.has(told.jobId);
  const stopped = witness.stopped.has(told.id) || isSurplus(told);
  if (!isPossible(end, { tampered, between, stopped })) complain('without a cause');
  if (outcome.code === undefined) {
    if (ended?.code !== undefined && !tampered) complain('though it left its code');
    return;
  }
  if (outcome.code !== ended?.code) complain(`but it ended with ${ended?.code}`);
  if (told.finishedAt !== ended?.at) complain(`at ${told.finishedAt}, but it was ${ended?.at}`);
}

interface Circumstances {
  readonly tampered: boolean;
  /** Its deadline may have come between two runs: then it keeps code and end of the last one. */
  readonly between: boolean;
  /** By its owner, or by one that it was before its store was set back. */
  readonly stopped: boolean;
}

/** A second result of its partition, which is not accepted. */
function isSurplus({ state, outcome }: Told): boolean {
  return state === 'cancelled' && outcome?.reason.startsWith('the result of ') === true;
}

function isPossible(
  { told, outcome }: End,
  { tampered, between, stopped }: Circumstances,
): boolean {
  switch (outcome.by) {
    case 'exit':
      return outcome.code !== undefined && (told.finishedAt ?? 0) <= (told.deadlineAt ?? Infinity);
    case 'lost':
      return tampered;
    case 'stop':
      return stopped;
    case 'limit':
      if (told.deadlineAt === undefined) return false;
      return (told.finishedAt ?? 0) >= told.deadlineAt || between;
    default:
      return false;
  }
}

function agree(told: Owned, kept: Told | undefined, complain: (text: string) => void): void {
  // Stopped before the node had heard of it.
  if (kept === undefined) return complain('the node has no record of it');
  const one = ({ state, run, outcome, finishedAt }: Told): string =>
    JSON.stringify([state, run, outcome?.by, outcome?.code, outcome?.reason, finishedAt]);
  if (isSurplus(told) && kept.state === 'completed') return;
  if (one(told) !== one(kept)) complain(`told ${one(told)}, but the node has ${one(kept)}`);
}

/** One partition has at most one accepted result. */
function doubled(owned: readonly Owned[]): string[] {
  const done = owned.filter(({ state }) => state === 'completed');
  const seen = new Set<string>();
  return done.flatMap(({ jobId, token }) => {
    const partition = `${jobId}/${token.partition}`;
    const again = seen.has(partition);
    seen.add(partition);
    return again ? [`partition ${partition} has two results`] : [];
  });
}

function lostJobs({ answered, disk }: Cluster): string[] {
  return answered
    .filter((id) => !disk.has(`job/${id}`))
    .map((id) => `job ${id} was answered and is gone`);
}

function leftOvers({ sites, forEver }: Cluster): string[] {
  return sites.flatMap(({ node, disk, agent, id }) => {
    const left = node.boxes.filter(({ ref }) => !forEver.has(ref.executionId));
    const index = disk.read('ix/').filter(([key]) => !forEver.has(key.split('/').at(-1) ?? ''));
    const held = agent.running?.core.service.engine.allocated;
    const leaked = Object.entries(held ?? {}).filter(([, amount]) => amount !== 0);
    return [
      ...left.map(({ ref }) => `${ref.executionId}/${ref.run} is left on the host ${id}`),
      ...index.map(([key]) => `the store of the agent ${id} still has ${key}`),
      ...(forEver.size > 0
        ? []
        : leaked.map(([what, amount]) => `${amount} of ${what} are not free`)),
    ];
  });
}
