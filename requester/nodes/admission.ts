/** The membership axis at a handshake; pure. */
import { PROTOCOL_VERSION, type Handshake } from '../../wire/messages.ts';
import type { NodeRecord } from '../state/records.ts';

export interface AdmissionRules {
  /** `auto` approves every node that reaches the broker; `manual` leaves it to an operator. */
  readonly approval: 'auto' | 'manual';
  /** An agent that was heard within this time is still there. */
  readonly unknownAfterMs: number;
}

export type Admission =
  | {
      readonly type: 'approved' | 'pending' | 'rejected';
      readonly membership: NodeRecord['membership'];
    }
  | { readonly type: 'superseded'; readonly reason: string };

export function admit(
  known: NodeRecord | undefined,
  handshake: Handshake,
  {
    rules,
    heardAt,
    now,
  }: { readonly rules: AdmissionRules; readonly heardAt: number; readonly now: number },
): Admission {
  const verdict = (state: 'approved' | 'pending' | 'rejected', reason: string): Admission => ({
    type: state,
    membership: { state, reason, by: 'requester', at: now },
  });
  if (handshake.v !== PROTOCOL_VERSION)
    return verdict(
      'rejected',
      `protocol version ${handshake.v}; this requester speaks ${PROTOCOL_VERSION}`,
    );
  if (known === undefined || wasVersion(known)) return first(rules, verdict);
  const present = known.connection.state === 'connected' && now - heardAt < rules.unknownAfterMs;
  if (present && known.instanceId !== handshake.instanceId)
    return {
      type: 'superseded',
      reason: `node id ${known.id} is in use by another agent; give this one its own`,
    };
  if (present && known.processStartedAt > handshake.startedAt)
    return { type: 'superseded', reason: `a younger agent works as ${known.id}` };
  return { type: known.membership.state, membership: known.membership };
}

/** Rejected for its version only; another version is judged anew. */
function wasVersion(known: NodeRecord): boolean {
  return known.membership.state === 'rejected' && known.membership.by === 'requester';
}

function first(
  rules: AdmissionRules,
  verdict: (state: 'approved' | 'pending', reason: string) => Admission,
): Admission {
  return rules.approval === 'auto'
    ? verdict('approved', 'approved by nodes.approval: auto')
    : verdict('pending', 'waits for an operator; nodes.approval is manual');
}
