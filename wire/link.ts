/**
 * The sequenced link, its pure part. Each direction has a sender with an outbox and a receiver with a cursor:
 *
 *   sender:   state change + numbered row in one sync batch; sends in order; deletes what is acknowledged
 *   receiver: effects + cursor in one sync batch; only then answers with the cursor
 *
 * At a handshake both ends tell their position. The receiver adopts the sender's incarnation; the sender starts a new
 * incarnation with a full snapshot whenever rows that the receiver lacks are no longer in the outbox, or the receiver
 * has seen more than the sender remembers (one of the stores was lost, or is an old copy).
 */
import type { LinkPosition, Push } from './messages.ts';

/** What a sender knows of its own rows. */
export interface SenderMemory {
  readonly incarnation: string;
  /** Acknowledged under this incarnation. */
  readonly acked: number;
  /**
   * The receiver may have seen rows up to here: what the store held when it was opened, and what was sent since. Rows
   * that were only written since do not count: an old copy of a store writes other rows under numbers used before.
   */
  readonly offered: number;
}

export function needsSnapshot(mine: SenderMemory, theirs: LinkPosition): boolean {
  if (theirs.peerIncarnation !== mine.incarnation) return mine.acked > 0;
  return theirs.peerCursor < mine.acked || theirs.peerCursor > mine.offered;
}

/** The other end stands at the last row of this one, and took no row of a newer self under the same numbers. */
export function hasAllRows(mine: LinkPosition, theirs: LinkPosition): boolean {
  if (needsSnapshot(memoryOf(mine), theirs)) return false;
  return theirs.peerIncarnation === mine.incarnation && theirs.peerCursor === mine.lastSeq;
}

/** The other end has seen what this one does not remember: the store behind `mine` is an older copy. */
export function isSetBack(mine: LinkPosition, theirs: LinkPosition): boolean {
  const { incarnation, offered } = memoryOf(mine);
  // Incarnations of requesters are made of their time. A node that was another requester's may have a younger one too.
  if (theirs.peerIncarnation !== incarnation && theirs.peerIncarnation > incarnation) return true;
  if (theirs.peerIncarnation === incarnation && theirs.peerCursor > offered) return true;
  const taken = mine.peerIncarnation === theirs.incarnation ? mine.peerCursor : 0;
  return memoryOf(theirs).acked > taken;
}

/** What the other end knows of its own rows, as it says; an older version tells less. */
export function memoryOf({ incarnation, acked, offered, lastSeq }: LinkPosition): SenderMemory {
  return { incarnation, acked: acked ?? 0, offered: offered ?? lastSeq };
}

export type Taken =
  | { readonly type: 'rows'; readonly rows: Push['rows']; readonly cursor: number }
  | { readonly type: 'resume'; readonly cursor: number }
  | { readonly type: 'handshake-required'; readonly reason: string };

/** What of a push is new to a receiver that stands at `cursor` of `incarnation`. Duplicates fall out here. */
export function takePush(push: Push, incarnation: string, cursor: number): Taken {
  if (push.incarnation !== incarnation)
    return { type: 'handshake-required', reason: 'another incarnation of the sender' };
  if (push.after > cursor) return { type: 'resume', cursor };
  const rows = push.rows.filter((row) => row.seq > cursor);
  const last = rows.at(-1);
  return { type: 'rows', rows, cursor: last === undefined ? cursor : last.seq };
}
