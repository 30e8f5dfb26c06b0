/**
 * Who may speak at the broker, by the requester's authority: join tokens, the keys of nodes, and keys whose credentials
 * are void. Few records, all at hand. A roster may lie over another one: it then holds what is changed, and hides it.
 */
import { z } from 'zod';
import type { StoreOp } from '../../adapters/store/port.ts';
import { parseNodeId } from '../../core/ids.ts';
import { publicKeySchema } from '../../wire/join.ts';

const nodeId = z.string().transform(parseNodeId);

export const joinTokenSchema = z.object({
  v: z.literal(1),
  /** `jt-...` */
  id: z.string(),
  name: z.string(),
  createdAt: z.number(),
  /** Who made it. */
  by: z.string(),
  expiresAt: z.number(),
  /** How many nodes may join with it. */
  uses: z.number().int(),
  /** What a node becomes that joins with it. */
  membership: z.enum(['approved', 'pending']),
  used: z.array(z.object({ nodeId, publicKey: publicKeySchema, at: z.number() })),
  revoked: z.object({ by: z.string(), at: z.number() }).exactOptional(),
});
export type JoinTokenRecord = Readonly<z.infer<typeof joinTokenSchema>>;

/** The key of a node. */
export const memberSchema = z.object({
  v: z.literal(1),
  nodeId,
  publicKey: publicKeySchema,
  /** Of the token it joined with; absent when it was taken by its key, because the record had been lost. */
  token: z
    .object({ id: z.string(), name: z.string(), membership: z.enum(['approved', 'pending']) })
    .exactOptional(),
  joinedAt: z.number(),
  /** When the youngest of its credentials expire. */
  credentialsUntil: z.number(),
});
export type MemberRecord = Readonly<z.infer<typeof memberSchema>>;

/** What was issued to this key until `at` is void at the broker. */
export const revocationSchema = z.object({
  v: z.literal(1),
  publicKey: publicKeySchema,
  nodeId,
  why: z.enum(['rejected', 'deleted']),
  at: z.number(),
  /** All of it has expired by then. */
  until: z.number(),
});
export type RevocationRecord = Readonly<z.infer<typeof revocationSchema>>;

export interface Shelf<T> {
  get(id: string): T | undefined;
  values(): Iterable<T>;
}

/** Records by id, over those of another one. */
class Layer<T> implements Shelf<T> {
  readonly #base: Shelf<T> | undefined;
  /** undefined: dropped. */
  readonly #own = new Map<string, T | undefined>();

  constructor(base: Shelf<T> | undefined) {
    this.#base = base;
  }

  get(id: string): T | undefined {
    return this.#own.has(id) ? this.#own.get(id) : this.#base?.get(id);
  }

  *values(): Iterable<T> {
    const hidden = new Set([...this.#own.keys()].map((id) => this.#base?.get(id)));
    for (const record of this.#base?.values() ?? []) if (!hidden.has(record)) yield record;
    for (const record of this.#own.values()) if (record !== undefined) yield record;
  }

  put(id: string, record: T): void {
    this.#own.set(id, record);
  }

  drop(id: string): void {
    this.#own.set(id, undefined);
  }

  take(other: Layer<T>): void {
    for (const [id, record] of other.#own)
      if (record === undefined && this.#base === undefined) this.#own.delete(id);
      else this.#own.set(id, record);
  }

  ops(prefix: string): StoreOp[] {
    return [...this.#own].map(([id, value]) =>
      value === undefined
        ? { type: 'del', key: `${prefix}${id}` }
        : { type: 'put', key: `${prefix}${id}`, value },
    );
  }

  get changed(): boolean {
    return this.#own.size > 0;
  }
}

export interface RosterView {
  readonly tokens: Shelf<JoinTokenRecord>;
  /** By node id. */
  readonly members: Shelf<MemberRecord>;
  /** By public key. */
  readonly revocations: Shelf<RevocationRecord>;
}

export const ROSTER_PREFIXES = {
  tokens: 'join-token/',
  members: 'member/',
  revocations: 'revoked/',
} as const;

export class Roster implements RosterView {
  readonly tokens: Layer<JoinTokenRecord>;
  readonly members: Layer<MemberRecord>;
  readonly revocations: Layer<RevocationRecord>;

  constructor(base?: RosterView) {
    this.tokens = new Layer(base?.tokens);
    this.members = new Layer(base?.members);
    this.revocations = new Layer(base?.revocations);
  }

  /** Takes the changes of a roster that lies over this one. */
  take(other: Roster): void {
    this.tokens.take(other.tokens);
    this.members.take(other.members);
    this.revocations.take(other.revocations);
  }

  ops(): StoreOp[] {
    return [
      ...this.tokens.ops(ROSTER_PREFIXES.tokens),
      ...this.members.ops(ROSTER_PREFIXES.members),
      ...this.revocations.ops(ROSTER_PREFIXES.revocations),
    ];
  }

  /** Whether what the broker has to know differs. */
  get revocationsChanged(): boolean {
    return this.revocations.changed;
  }
}
