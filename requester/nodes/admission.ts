/** The membership axis at a handshake; pure. */
import { PROTOCOL_VERSION, type Handshake } from '../../wire/messages.ts';
import type { NodeRecord } from '../state/records.ts';
import type { MemberRecord } from '../state/roster.ts';

export interface AdmissionRules {
  /** `auto` approves every node that reaches the broker; `manual` leaves it to an operator. */
  readonly approval: 'auto' | 'manual';
  /** Of nodes that an authority has let in its token decides, whatever `approval` says. */
  readonly authority: boolean;
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
    member,
  }: {
    readonly rules: AdmissionRules;
    readonly heardAt: number;
    readonly now: number;
    /** Of a node that joined by an authority. */
    readonly member?: MemberRecord | undefined;
  },
): Admission {
  const verdict: Verdict = (state, reason, by = 'requester') => ({
    type: state,
    membership: { state, reason, by, at: now },
  });
  if (handshake.v !== PROTOCOL_VERSION)
    return verdict(
      'rejected',
      `protocol version ${handshake.v}; this requester speaks ${PROTOCOL_VERSION}`,
    );
  if (known === undefined || wasVersion(known))
    return rules.authority ? byToken(member, verdict) : first(rules, verdict);
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

type Verdict = (
  state: 'approved' | 'pending' | 'rejected',
  reason: string,
  by?: string,
) => Admission;

function byToken(member: MemberRecord | undefined, verdict: Verdict): Admission {
  if (member?.token === undefined)
    return verdict('pending', 'its key is good, but how it joined is not known here any more');
  const { id, name, membership } = member.token;
  const token = name === '' ? id : `${id} (${name})`;
  return membership === 'approved'
    ? verdict('approved', `joined with token ${token}`, id)
    : verdict('pending', `joined with token ${token}, which leaves it to an operator`);
}

function first(rules: AdmissionRules, verdict: Verdict): Admission {
  return rules.approval === 'auto'
    ? verdict('approved', 'approved by nodes.approval: auto')
    : verdict('pending', 'waits for an operator; nodes.approval is manual');
}
