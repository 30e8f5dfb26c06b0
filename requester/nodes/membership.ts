/**
 * An operator's word on a node: the membership axis.
 *
 *   pending -> approved | rejected      approved -> rejected      rejected -> approved, after a fresh handshake
 *   deleted: forgotten whole; only a node that is not there and holds nothing
 */
import type { Store } from '../../adapters/store/port.ts';
import { LimpetError } from '../../core/errors.ts';
import { isTerminal } from '../../core/execution/states.ts';
import type { NodeId } from '../../core/ids.ts';
import { stopExecution } from '../jobs/apply-plan.ts';
import { freshLink } from '../state/after-loss.ts';
import type { Coordinator } from '../state/coordinator.ts';
import type { Draft } from '../state/draft.ts';
import type { Mint } from '../state/minting.ts';
import type { ExecutionRecord, NodeRecord } from '../state/records.ts';
import { replaceSession } from './sessions.ts';

export const NODE_ACTIONS = ['approve', 'reject', 'delete'] as const;
export type NodeAction = (typeof NODE_ACTIONS)[number];

export interface Decision {
  readonly action: NodeAction;
  /** Why; '' when nothing was said. */
  readonly message: string;
  /** Who says it; never `requester`, which decides by rules. */
  readonly by: string;
}

export interface MembershipContext {
  readonly coordinator: Coordinator;
  readonly store: Store;
  readonly mint: Mint;
  /** Asks it for a handshake. */
  readonly nudge: (node: NodeId) => void;
}

/** Errors: `not-found`, `conflict`. */
export async function decide(
  { coordinator, store, mint, nudge }: MembershipContext,
  id: NodeId,
  decision: Decision,
): Promise<void> {
  await coordinator.runAlone(async (draft) => {
    const node = draft.node(id);
    if (node === undefined) throw new LimpetError('not-found', `node not found: ${id}`);
    if (decision.action === 'approve') approve(draft, node, decision);
    else if (decision.action === 'reject') reject(draft, node, decision);
    else await remove(draft, node, { store, mint });
  });
  if (decision.action === 'approve') nudge(id);
}

function approve(draft: Draft, node: NodeRecord, { message, by }: Decision): void {
  const { state } = node.membership;
  if (state === 'approved') throw already(node);
  if (state === 'rejected' && node.membership.by === 'requester')
    throw new LimpetError('conflict', `${node.id} cannot be approved: ${node.membership.reason}`);
  const reason = message === '' ? 'approved by an operator' : message;
  draft.putNode({
    ...node,
    // What it held was given up when it was rejected.
    ...(state === 'rejected' ? replaceSession(node, '') : {}),
    membership: { state: 'approved', reason, by, at: draft.now },
  });
  const member = draft.roster.members.get(node.id);
  if (member !== undefined) draft.roster.revocations.drop(member.publicKey);
}

function reject(draft: Draft, node: NodeRecord, { message, by }: Decision): void {
  if (node.membership.state === 'rejected' && node.membership.by !== 'requester')
    throw already(node);
  const reason = message === '' ? 'rejected by an operator' : message;
  draft.putNode({ ...node, membership: { state: 'rejected', reason, by, at: draft.now } });
  for (const execution of heldBy(draft, node.id))
    if (execution.desired === 'run')
      stopExecution(draft, execution, `its node was rejected: ${reason}`);
}

async function remove(
  draft: Draft,
  node: NodeRecord,
  { store, mint }: Pick<MembershipContext, 'store' | 'mint'>,
): Promise<void> {
  const { id, connection, membership } = node;
  if (connection.state === 'connected' && membership.state === 'approved')
    throw new LimpetError(
      'conflict',
      `${id} is connected; stop its agent, or reject it, before it is deleted`,
    );
  const held = heldBy(draft, id).length;
  if (held > 0)
    throw new LimpetError(
      'conflict',
      `${held} executions on ${id} have not ended; reject it, which gives them up, then delete it`,
    );
  const { entries, corrupt } = await store.scan({ prefix: `link/${id}/` });
  for (const { key } of [...entries, ...corrupt]) draft.op({ type: 'del', key });
  draft.op(freshLink(id, mint));
  revoke(draft, id, 'deleted');
  draft.roster.members.drop(id);
  draft.dropNode(id);
}

/** What was issued to its key is void from now on; a node without an authority has none. */
export function revoke(draft: Draft, id: NodeId, why: 'rejected' | 'deleted'): void {
  const member = draft.roster.members.get(id);
  if (member === undefined) return;
  const { publicKey, credentialsUntil: until } = member;
  draft.roster.revocations.put(publicKey, {
    ...{ v: 1, publicKey, nodeId: id, why, at: draft.now, until },
  });
}

/** Its executions that have not ended. */
export function heldBy(draft: Draft, id: NodeId): ExecutionRecord[] {
  return [...draft.executions()].filter(({ nodeId, state }) => nodeId === id && !isTerminal(state));
}

function already({ id, membership: { state, by, at } }: NodeRecord): LimpetError {
  return new LimpetError(
    'conflict',
    `${id} is ${state} already, since ${new Date(at).toISOString()} by ${by}`,
  );
}
