/** The end of a simulated world: what was told against what was true. */
import { z } from 'zod';
import { OUTCOME_CAUSES } from '../../core/execution/outcome.ts';
import { EXECUTION_STATES, isTerminal } from '../../core/execution/states.ts';
import type { Cluster } from './cluster.ts';

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
  token: z.object({ partition: z.number(), attempt: z.number() }),
});
type Owned = z.infer<typeof ownedSchema>;

/** Everything that is wrong; empty when all is well. */
export function verdict(cluster: Cluster, unrest: string | undefined): readonly string[] {
  const found = [...cluster.ledger.violations];
  if (unrest !== undefined) found.push(`it does not come to rest: ${unrest}`);
  if (cluster.spins) found.push(`it spins: ${cluster.clock.ran} timers have run`);
  const owned = cluster.disks.requester.read('exec/').map(([, value]) => ownedSchema.parse(value));
  const kept = new Map(
    cluster.disks.agent.read('ex/').map(([key, value]) => [key.slice(3), toldSchema.parse(value)]),
  );
  for (const execution of owned) {
    const complain = (text: string): void => void found.push(`${execution.id}: ${text}`);
    judge(cluster, execution, complain);
    agree(execution, kept.get(execution.id), complain);
  }
  const known = new Set(owned.map(({ id }) => id));
  for (const { executionId } of cluster.ledger.runs)
    if (!known.has(executionId)) found.push(`${executionId}: ran, and its owner does not know it`);
  found.push(...doubled(owned), ...lostJobs(cluster), ...leftOvers(cluster));
  return [...new Set(found)];
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

function judgeEnd({ ledger, restartable }: Cluster, end: End, complain: Complain): void {
  const { told, outcome } = end;
  const ref = { executionId: told.id, run: told.run };
  const ended = ledger.of(told.id).find(({ run }) => run === told.run)?.ended;
  const tampered = ledger.isTampered(ref);
  const between = restartable.has(told.jobId);
  if (!isPossible(end, { tampered, between })) complain('without a cause');
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
}

function isPossible({ told, outcome }: End, { tampered, between }: Circumstances): boolean {
  switch (outcome.by) {
    case 'exit':
      return outcome.code !== undefined && (told.finishedAt ?? 0) <= (told.deadlineAt ?? Infinity);
    case 'lost':
      return tampered;
    case 'stop':
      return told.desired === 'stop';
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

function lostJobs({ answered, disks }: Cluster): string[] {
  const stored = new Set(disks.requester.read('job/').map(([key]) => key.slice('job/'.length)));
  return answered.filter((id) => !stored.has(id)).map((id) => `job ${id} was answered and is gone`);
}

function leftOvers({ agent, node, disks }: Cluster): string[] {
  const found = node.boxes.map(({ ref }) => `${ref.executionId}/${ref.run} is left on the host`);
  const index = disks.agent.read('ix/').map(([key]) => `the agent's store still has ${key}`);
  const held = agent.running?.core.service.engine.allocated;
  const leaked = Object.entries(held ?? {}).filter(([, amount]) => amount !== 0);
  return [
    ...found,
    ...index,
    ...leaked.map(([what, amount]) => `${amount} of ${what} are not free`),
  ];
}
