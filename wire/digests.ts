/**
 * Digests in heartbeats: both ends make them of what they know, and compare them when neither has sent what the other has
 * not taken. Unequal ones are settled by a handshake, whose lists tell what differs.
 */
import { createHash } from 'node:crypto';
import type { LinkPosition } from './messages.ts';

/** sha256, in hex, over the sorted lines `id word`. */
export function digestOf(entries: Iterable<readonly [id: string, word: string]>): string {
  const lines = Array.from(entries, ([id, word]) => `${id} ${word}\n`).sort();
  return createHash('sha256').update(lines.join('')).digest('hex');
}

/** True when `mine`, now, has taken exactly what `theirs` had given out then, and the other way round. */
export function isLevel(mine: LinkPosition, theirs: LinkPosition): boolean {
  return (
    mine.peerIncarnation === theirs.incarnation &&
    theirs.peerIncarnation === mine.incarnation &&
    mine.peerCursor === theirs.lastSeq &&
    theirs.peerCursor === mine.lastSeq
  );
}

/** Two looks in a row make a difference, and the same difference is told once: a handshake could not mend it again. */
export class Drift {
  #seen = '';
  #told = '';

  /** Both digests, or undefined when they cannot be compared now. True: shake hands. */
  differs(pair: readonly [mine: string, theirs: string] | undefined): boolean {
    if (pair === undefined) return false;
    const text = pair[0] === pair[1] ? '' : pair.join(' ');
    const again = text !== '' && text === this.#seen && text !== this.#told;
    this.#seen = text;
    if (again || text === '') this.#told = text;
    return again;
  }
}

/** By which a schema is named. */
export function hashOfText(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
