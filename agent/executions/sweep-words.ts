/**
 * What owners say of executions that left something here and have no record. Asked with heartbeats, kept in memory alone:
 * after a restart they are asked again.
 */
import type { OwnerProof } from './foreign.ts';

/** Questions in one heartbeat. */
const MOST = 100;

export class OwnerWords {
  readonly #owner: () => OwnerProof | undefined;
  readonly #asked = new Map<string, { endedAt?: number }>();

  constructor(owner: () => OwnerProof | undefined) {
    this.#owner = owner;
  }

  /** All that are in doubt now; what is no longer there is forgotten. */
  ask(ids: readonly string[]): void {
    const wanted = new Set(ids);
    for (const id of this.#asked.keys()) if (!wanted.has(id)) this.#asked.delete(id);
    for (const id of wanted) if (!this.#asked.has(id)) this.#asked.set(id, {});
  }

  get questions(): string[] {
    return [...this.#asked]
      .filter(([, { endedAt }]) => endedAt === undefined)
      .slice(0, MOST)
      .map(([id]) => id);
  }

  /** Counts only from a store that this node knew before the execution was placed. */
  ended(ids: readonly string[], now: number): void {
    const proof = this.#owner();
    for (const id of ids) {
      const asked = this.#asked.get(id);
      if (asked !== undefined && proof !== undefined && proof.knownSince < mintedAt(id))
        asked.endedAt ??= now;
    }
  }

  endedAt(id: string): number | undefined {
    return this.#asked.get(id)?.endedAt;
  }
}

/** Ids are version 7 UUIDs: when their owner made them, ms. */
function mintedAt(executionId: string): number {
  return Number.parseInt(executionId.slice(2).replaceAll('-', '').slice(0, 12), 16);
}
