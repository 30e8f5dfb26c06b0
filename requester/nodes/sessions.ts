/** Link sessions: each handshake mints one; the holder of an older one is told whether it has to shake hands or to leave. */
import type { NodeRecord } from '../state/records.ts';
import { isExpelled } from './expelled.ts';

/** Replaced sessions that are remembered for each node. */
const MOST_REPLACED = 8;

export type SessionCheck =
  | { readonly type: 'current' }
  | { readonly type: 'superseded'; readonly reason: string }
  | { readonly type: 'handshake-required'; readonly reason: string };

export function checkSession(node: NodeRecord | undefined, session: string): SessionCheck {
  if (node === undefined)
    return { type: 'handshake-required', reason: 'this node is not known here' };
  // One that was rejected just now still hears what it has to stop, and tells of it.
  const leaving = isExpelled(node) && node.session !== '';
  if (node.membership.state !== 'approved' && !leaving)
    return { type: 'handshake-required', reason: `this node is ${node.membership.state}` };
  if (node.session !== '' && node.session === session) return { type: 'current' };
  const replaced = node.replaced.find((old) => old.session === session);
  if (replaced === undefined || replaced.process === node.process)
    return { type: 'handshake-required', reason: 'this session is not known here' };
  return { type: 'superseded', reason: `another agent has registered as ${node.id} since` };
}

export function replaceSession(
  node: NodeRecord | undefined,
  session: string,
): Pick<NodeRecord, 'session' | 'replaced'> {
  if (node === undefined || node.session === '') return { session, replaced: node?.replaced ?? [] };
  const replaced = [...node.replaced, { session: node.session, process: node.process }];
  return { session, replaced: replaced.slice(-MOST_REPLACED) };
}
