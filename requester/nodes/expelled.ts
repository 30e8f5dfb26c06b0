import type { NodeRecord } from '../state/records.ts';

/** Rejected by somebody, for good; a node that is refused for its version alone may come back by itself. */
export function isExpelled({ membership }: Pick<NodeRecord, 'membership'>): boolean {
  return membership.state === 'rejected' && membership.by !== 'requester';
}
