/**
 * Answers nodes that ask for credentials: with a join token for the first ones (Join), by their key for the next ones (Renew).
 * What a token was used for is stored before the answer; a node that never got it asks again, and that costs no use.
 */
import { isSignedBy } from '../../adapters/authority/claims.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import { LimpetError } from '../../core/errors.ts';
import { parseNodeId, type NodeId } from '../../core/ids.ts';
import { joinText, type JoinAnswer, type JoinRequest, type RenewRequest } from '../../wire/join.ts';
import { isExpelled } from '../nodes/expelled.ts';
import type { Coordinator } from '../state/coordinator.ts';
import type { Draft } from '../state/draft.ts';
import type { JoinTokenRecord, MemberRecord } from '../state/roster.ts';
import type { Authority } from './authority.ts';

export interface JoiningContext {
  readonly authority: Authority;
  readonly coordinator: Coordinator;
  readonly clock: Clock;
  readonly log: Logger;
  readonly credentialTtlMs: number;
}

/** How far the clock of a node may be off. */
const FRESH_MS = 600_000;

/** A refusal on the way; caught here. */
class Refused extends Error {
  readonly final: boolean;

  constructor(reason: string, final: boolean) {
    super(reason);
    this.final = final;
  }
}

export function join(
  context: JoiningContext,
  tokenId: string,
  request: JoinRequest,
): Promise<JoinAnswer> {
  return answered(context, request, (draft, node) => {
    const token = usableToken(draft, tokenId);
    const { publicKey } = request;
    checkKey(draft, node, publicKey);
    const again = token.used.some((use) => use.nodeId === node && use.publicKey === publicKey);
    if (!again && token.used.length >= token.uses)
      throw new Refused(`join token ${tokenId} is used up; make another one`, true);
    if (!again)
      draft.roster.tokens.put(tokenId, {
        ...token,
        used: [...token.used, { nodeId: node, publicKey, at: draft.now }],
      });
    // It was deleted, and comes by a new word of an operator.
    if (draft.roster.revocations.get(publicKey)?.nodeId === node)
      draft.roster.revocations.drop(publicKey);
    const { id, name, membership } = token;
    return { token: { id, name, membership }, joinedAt: draft.now };
  });
}

/** The subject has named the node: the broker lets nobody else publish there. */
export function renew(
  context: JoiningContext,
  node: NodeId,
  request: RenewRequest,
): Promise<JoinAnswer> {
  if (request.nodeId !== node)
    return Promise.resolve({
      ...{ type: 'refused', final: true },
      reason: `${node} asked for credentials of ${request.nodeId}`,
    });
  return answered(context, request, (draft) => {
    checkKey(draft, node, request.publicKey);
    // Without a record the store has lost it: the broker has let this key in, so it was this node's.
    return draft.roster.members.get(node) ?? { joinedAt: draft.now };
  });
}

async function answered(
  context: JoiningContext,
  request: RenewRequest,
  take: (draft: Draft, node: NodeId) => Pick<MemberRecord, 'token' | 'joinedAt'>,
): Promise<JoinAnswer> {
  const { authority, coordinator, clock, log, credentialTtlMs } = context;
  const { publicKey } = request;
  try {
    checkProof(request, clock.now());
    const node = parseNodeId(request.nodeId);
    // A JWT counts in seconds.
    const expiresAt = Math.ceil((clock.now() + credentialTtlMs) / 1000) * 1000;
    await coordinator.run((draft) => {
      const { token, joinedAt } = take(draft, node);
      draft.roster.members.put(node, {
        ...{ v: 1, nodeId: node, publicKey, joinedAt, credentialsUntil: expiresAt },
        ...(token === undefined ? {} : { token }),
      });
    });
    const jwt = await authority.nodeJwt(node, publicKey, expiresAt);
    log.info('node.credentials', { nodeId: node, publicKey, expiresAt });
    return { type: 'joined', jwt, expiresAt };
  } catch (thrown) {
    const { reason, final } = refusalOf(thrown);
    log.warn('node.join-refused', { nodeId: request.nodeId, publicKey, reason });
    return { type: 'refused', reason, final };
  }
}

function refusalOf(thrown: unknown): { readonly reason: string; readonly final: boolean } {
  const { code, message, cause } = LimpetError.from(thrown);
  // A turn wraps what a step throws.
  const refused = thrown instanceof Refused ? thrown : cause;
  if (refused instanceof Refused) return { reason: refused.message, final: refused.final };
  return { reason: message, final: code === 'invalid-id' };
}

function checkProof({ nodeId, publicKey, at, signature }: RenewRequest, now: number): void {
  if (!isSignedBy(publicKey, joinText({ nodeId, publicKey, at }), signature))
    throw new Refused(`the request is not signed by the key ${publicKey}`, true);
  const offMs = at - now;
  if (Math.abs(offMs) > FRESH_MS)
    throw new Refused(
      `the node's clock is ${Math.round(Math.abs(offMs) / 1000)} s ${offMs > 0 ? 'ahead' : 'behind'}; set it`,
      false,
    );
}

function usableToken(draft: Draft, id: string): JoinTokenRecord {
  const token = draft.roster.tokens.get(id);
  const hint = 'make another one with `limpet node token create`';
  if (token === undefined) throw new Refused(`join token ${id} is not known here; ${hint}`, true);
  if (token.revoked !== undefined) throw new Refused(`join token ${id} was revoked; ${hint}`, true);
  if (token.expiresAt <= draft.now)
    throw new Refused(`join token ${id} has expired; ${hint}`, true);
  return token;
}

function checkKey(draft: Draft, node: NodeId, publicKey: string): void {
  const { members, revocations } = draft.roster;
  const known = members.get(node);
  if (known !== undefined && known.publicKey !== publicKey)
    throw new Refused(
      `node id ${node} belongs to another key; give this node its own (limpet agent reset --identity), or delete the old one`,
      true,
    );
  const record = draft.node(node);
  if (record !== undefined && isExpelled(record))
    throw new Refused(`${node} is rejected: ${record.membership.reason}`, true);
  const revoked = revocations.get(publicKey);
  if (revoked?.why === 'rejected')
    throw new Refused(`this key was rejected, as that of ${revoked.nodeId}`, true);
}
