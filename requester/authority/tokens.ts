/** Join tokens: made, listed, revoked. The token itself is a secret, and is kept nowhere. */
import type { Clock, Random } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import { LimpetError } from '../../core/errors.ts';
import type { JoinTokenView, NewJoinToken } from '../../wire/http.ts';
import type { Coordinator } from '../state/coordinator.ts';
import type { Draft } from '../state/draft.ts';
import type { JoinTokenRecord } from '../state/roster.ts';
import type { WorldView } from '../state/world.ts';
import type { Authority } from './authority.ts';

export interface JoinTokensParts {
  readonly authority: Authority;
  readonly coordinator: Coordinator;
  readonly world: WorldView;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface TokenWish {
  readonly name: string;
  readonly ttlMs: number;
  readonly uses: number;
  /** Nodes that join with it wait for an operator. */
  readonly pending: boolean;
}

/** So long a token that is over is still told from one that never was. */
const KEEP_ENDED_MS = 30 * 86_400_000;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
const ID_LETTERS = 12;

export class JoinTokens {
  readonly #parts: JoinTokensParts;

  constructor(parts: JoinTokensParts) {
    this.#parts = parts;
  }

  async create(wish: TokenWish, by: string): Promise<NewJoinToken> {
    const { authority, coordinator, clock, random, log } = this.#parts;
    const now = clock.now();
    const record: JoinTokenRecord = {
      ...{ v: 1, id: newId(random), name: wish.name, createdAt: now, by },
      // A JWT counts in seconds.
      expiresAt: Math.ceil((now + wish.ttlMs) / 1000) * 1000,
      uses: wish.uses,
      membership: wish.pending ? 'pending' : 'approved',
      used: [],
    };
    const token = await authority.joinToken(record.id, record.expiresAt);
    await coordinator.run((draft) => {
      prune(draft);
      draft.roster.tokens.put(record.id, record);
    });
    const { id, name, uses, expiresAt } = record;
    log.info('node.token-created', { tokenId: id, name, uses, expiresAt, by });
    return { ...viewOf(record, now), token };
  }

  list(): JoinTokenView[] {
    const now = this.#parts.clock.now();
    return [...this.#parts.world.roster.tokens.values()]
      .sort((a, b) => a.createdAt - b.createdAt)
      .map((record) => viewOf(record, now));
  }

  /** Nodes that have joined with it stay. Twice is the same as once. Errors: `not-found`. */
  async revoke(id: string, by: string): Promise<JoinTokenView> {
    const { coordinator, log } = this.#parts;
    return coordinator.run((draft) => {
      const found = draft.roster.tokens.get(id);
      if (found === undefined) throw new LimpetError('not-found', `join token not found: ${id}`);
      const revoked = { ...found, revoked: found.revoked ?? { by, at: draft.now } };
      draft.roster.tokens.put(id, revoked);
      log.info('node.token-revoked', { tokenId: id, by });
      return viewOf(revoked, draft.now);
    });
  }
}

/** What is long over: no JWT of it is good any more. */
function prune(draft: Draft): void {
  const { tokens, revocations } = draft.roster;
  const old = draft.now - KEEP_ENDED_MS;
  for (const { id, expiresAt } of [...tokens.values()]) if (expiresAt < old) tokens.drop(id);
  for (const { publicKey, why, until } of [...revocations.values()])
    if (why === 'deleted' && until < old) revocations.drop(publicKey);
}

function newId(random: Random): string {
  const letters: string[] = [];
  // 252 is the last multiple of 36 in a byte: each letter is as likely as any other.
  while (letters.length < ID_LETTERS)
    for (const byte of random.bytes(ID_LETTERS))
      if (byte < 252 && letters.length < ID_LETTERS)
        letters.push(ALPHABET.charAt(byte % ALPHABET.length));
  return `jt-${letters.join('')}`;
}

function viewOf(record: JoinTokenRecord, now: number): JoinTokenView {
  const { id, name, createdAt, by, expiresAt, uses, membership, used, revoked } = record;
  return {
    ...{ id, name, createdAt, by, expiresAt, uses, membership },
    state: stateOf(record, now),
    used: used.map(({ nodeId, at }) => ({ nodeId, at })),
    ...(revoked === undefined ? {} : { revoked }),
  };
}

function stateOf(
  { revoked, expiresAt, used, uses }: JoinTokenRecord,
  now: number,
): JoinTokenView['state'] {
  if (revoked !== undefined) return 'revoked';
  if (expiresAt <= now) return 'expired';
  return used.length >= uses ? 'used up' : 'active';
}
