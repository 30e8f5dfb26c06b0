/**
 * Ids of streams. The requester gives them, so that it knows a stream before the node has heard of it. They begin with a
 * digest of the requester's id: of two requesters at one broker each cares for its own streams alone.
 */
import { createHash } from 'node:crypto';
import { uuidV7 } from '../../core/ids.ts';
import type { Clock, Random } from '../clock/port.ts';

const OWNER_CHARACTERS = 8;

/** The beginning of the ids of this requester's streams. */
export function ownerOf(requesterId: string): string {
  return createHash('sha256').update(requesterId).digest('hex').slice(0, OWNER_CHARACTERS);
}

export function mintStreamId(owner: string, clock: Clock, random: Random): string {
  return `${owner}-${uuidV7(clock.now(), random.bytes(10))}`;
}

export function ownerIn(streamId: string): string {
  return streamId.slice(0, OWNER_CHARACTERS);
}

/** The last part of a subject of `Stream`. */
export function streamIdOf(subject: string): string {
  return subject.slice(subject.lastIndexOf('.') + 1);
}
