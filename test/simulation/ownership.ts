/** Whose the executions are at the end of a simulated world, and whether work was placed where work was already. */
import type { Cluster } from './cluster.ts';
import { REQUESTER_CONFIG } from './programs.ts';
import type { Placing } from './witness.ts';

/** As its node has it. */
export interface Kept {
  readonly state: string;
  readonly outcome?: { readonly by: string } | undefined;
}

/** Only work of a job that the requester has forgotten may be unknown to it: that goes on, and nobody stops it. */
export function unowned(
  cluster: Cluster,
  kept: ReadonlyMap<string, Kept>,
  known: ReadonlySet<string>,
): string[] {
  const { witness, ledger } = cluster;
  return [...new Set(ledger.runs.map(({ executionId }) => executionId))].flatMap((id) => {
    if (known.has(id)) return [];
    const placing = witness.placings.get(id);
    if (placing === undefined || !cluster.isForgotten(placing))
      return [`${id}: ran, and its owner does not know it`];
    const { state, outcome } = kept.get(id) ?? {};
    const tampered = ledger.of(id).some((run) => ledger.isTampered({ ...run, executionId: id }));
    const stopped = outcome?.by === 'stop' && !witness.stopped.has(id);
    const lost = outcome?.by === 'lost' && !tampered;
    return stopped || lost ? [`${id}: nobody knows it, and yet it ended as ${state}`] : [];
  });
}

/** No two executions have the same token, and none is placed beside one that its owner could have known of. */
export function placedTwice(cluster: Cluster, kept: ReadonlyMap<string, Kept>): string[] {
  const groups = new Map<string, Placing[]>();
  for (const placing of cluster.witness.placings.values()) {
    const key = `${placing.jobId}/${placing.token.partition}`;
    groups.set(key, [...(groups.get(key) ?? []), placing]);
  }
  return [...groups].flatMap(([partition, placings]) =>
    placings.flatMap((later, i) =>
      placings.slice(0, i).flatMap((earlier) => {
        const { attempt } = later.token;
        if (earlier.token.attempt === attempt)
          return [`${partition}: ${earlier.id} and ${later.id} both have attempt ${attempt}`];
        if (!isInTheWay(cluster, { earlier, later }, kept) || mayNotKnow(earlier, later)) return [];
        return [`${partition}: ${later.id} was placed in spite of ${earlier.id}`];
      }),
    ),
  );
}

interface Pair {
  readonly earlier: Placing;
  readonly later: Placing;
}

/** It was still to end there when the later one was placed, or has ended so that no other had to be placed. */
function isInTheWay(
  { ledger, witness }: Cluster,
  { earlier, later }: Pair,
  kept: ReadonlyMap<string, Kept>,
): boolean {
  const { state, outcome } = kept.get(earlier.id) ?? {};
  const again = witness.jobs.get(earlier.jobId)?.Type === 'service' && outcome?.by === 'lost';
  if (state === 'completed' || (state === 'failed' && !again)) return true;
  return ledger.of(earlier.id).some(({ ended }) => (ended?.at ?? Infinity) > later.placedAt);
}

/** Its store was silent about the node, or it has waited for as long as it waits. */
function mayNotKnow({ nodeId }: Placing, { by, placedAt }: Placing): boolean {
  return !by.waitsFor.has(nodeId) || placedAt >= by.at + REQUESTER_CONFIG.nodes.unhealthyAfterMs;
}
