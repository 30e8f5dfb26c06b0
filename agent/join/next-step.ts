/**
 * What a node does next for its credentials; pure.
 *
 *   no JWT, or the broker refuses it ── a token ──> join, for ever, with back-off
 *                                    └─ none ─────> nothing but to tell: a broker that asks for nothing lets it in
 *   a JWT and a connection ── two thirds of its life are over ──> renew
 *                          └─ else ─────────────────────────────> wait for that
 *   a JWT and no connection ──> wait: the broker has not said anything about it
 *
 * Whether a JWT is over only the broker can say: the clock here may be wrong.
 */
import { backoffMs } from '../../core/backoff.ts';

export interface Standing {
  /** Ms; by the clock of who signs, as far as it is known here. */
  readonly now: number;
  readonly jwt: { readonly issuedAt: number; readonly expiresAt: number } | undefined;
  readonly connected: boolean;
  /** By the broker. */
  readonly refused: boolean;
  readonly hasToken: boolean;
}

export type Step =
  { readonly do: 'join' | 'renew' | 'wait' } | { readonly do: 'renew-later'; readonly ms: number };

/** Renewed after this part of its life, and at most EARLIER of it before. */
const RENEW_AFTER = 2 / 3;
const EARLIER = 0.05;

/** `early`, from 0 to 1, keeps the nodes of a site apart. */
export function nextStep(
  { now, jwt, connected, refused, hasToken }: Standing,
  early: number,
): Step {
  if (jwt === undefined || refused) return { do: hasToken ? 'join' : 'wait' };
  if (!connected || !Number.isFinite(jwt.expiresAt)) return { do: 'wait' };
  const lifeMs = jwt.expiresAt - jwt.issuedAt;
  const ms = jwt.issuedAt + lifeMs * (RENEW_AFTER - EARLIER * early) - now;
  return ms <= 0 ? { do: 'renew' } : { do: 'renew-later', ms };
}

export type Trouble =
  /** Nobody has answered: broker or requester is away. */
  | 'away'
  /** A word that may change. */
  | 'refused'
  /** A word that stays, until somebody does something. */
  | 'final';

const RETRY = {
  away: { firstMs: 1_000, lastMs: 30_000 },
  refused: { firstMs: 2_000, lastMs: 60_000 },
  final: { firstMs: 60_000, lastMs: 600_000 },
} as const;

/** `lifeMs` of a JWT that is to be renewed bounds the wait: there have to be several attempts in what is left. */
export function retryMs(trouble: Trouble, attempt: number, lifeMs = Infinity): number {
  return Math.min(backoffMs(RETRY[trouble], attempt), Math.max(100, lifeMs / 20));
}
