/**
 * The API's tokens besides the file `token`: each has a role, and may have an end.
 *
 *   at-0123456789ab.SECRET      the token as its owner holds it: id and 256 random bits
 *   api-token/<id>              ApiTokenRecord: sha256 of the secret, never the secret
 *
 * One round of sha256 is enough, where a password would need a slow hash: nobody can try 2^256 secrets, so the hash cannot
 * be turned back; and a slow one on each request would let strangers burn this program's time.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { Clock, Timer } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { Store } from '../../adapters/store/port.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { ApiTokenView } from '../../wire/http.ts';
import { ROLES, type Role } from '../../wire/roles.ts';
import { API_TOKEN_PREFIX, apiTokenKey } from '../state/keys.ts';
import type { Caller } from './route-table.ts';

const recordSchema = z.object({
  v: z.literal(1),
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  /** Of the secret, hex. */
  sha256: z.string(),
  createdAt: z.number(),
  expiresAt: z.number().exactOptional(),
  revokedAt: z.number().exactOptional(),
  lastUsedAt: z.number().exactOptional(),
});
type ApiTokenRecord = Readonly<z.infer<typeof recordSchema>>;

export interface NewToken {
  readonly name: string;
  readonly role: Role;
  readonly ttlMs?: number | undefined;
}

export interface ApiTokensParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Last uses are written together, this often at the most. */
const WRITE_USES_MS = 60_000;
/** So long a token that is over is still told from one that never was. */
const KEEP_ENDED_MS = 30 * 86_400_000;
const MOST_TOKENS = 1_000;
const TOKEN = /^(at-[0-9a-f]{12})\.([A-Za-z0-9_-]{43})$/;

export class ApiTokens {
  readonly #parts: ApiTokensParts;
  readonly #records: Map<string, ApiTokenRecord>;
  readonly #used = new Set<string>();
  #timer: Timer | undefined;

  private constructor(parts: ApiTokensParts, records: readonly ApiTokenRecord[]) {
    this.#parts = parts;
    this.#records = new Map(records.map((record) => [record.id, record]));
  }

  /** A record that cannot be read is reported and lets nobody in. */
  static async load(parts: ApiTokensParts): Promise<ApiTokens> {
    const { store, log } = parts;
    const { entries, corrupt } = await store.scan({ prefix: API_TOKEN_PREFIX });
    const records: ApiTokenRecord[] = [];
    for (const { key, value } of entries) {
      const record = recordSchema.safeParse(value);
      if (record.success) records.push(record.data);
      else log.error('api.token-unreadable', { key, reason: record.error.message });
    }
    for (const { key, reason } of corrupt) log.error('api.token-unreadable', { key, reason });
    return new ApiTokens(parts, records);
  }

  /** undefined: nobody's. Errors: `unauthorized` when it was good once. */
  find(text: string): Caller | undefined {
    const [, id = '', secret = ''] = TOKEN.exec(text) ?? [];
    const record = this.#records.get(id);
    if (record === undefined || !sameHash(record.sha256, hashOf(secret))) return undefined;
    const now = this.#parts.clock.now();
    if (stateOf(record, now) !== 'active')
      throw new LimpetError('unauthorized', `${ended(record)}; ask an admin for another`);
    this.#records.set(id, { ...record, lastUsedAt: now });
    this.#used.add(id);
    this.#timer ??= this.#parts.clock.after(WRITE_USES_MS, () => void this.#writeUses());
    return { role: record.role, name: record.name };
  }

  /** `token` is shown once. Errors: `exhausted`. */
  async create({ name, role, ttlMs }: NewToken): Promise<{ token: string; view: ApiTokenView }> {
    const { clock, log } = this.#parts;
    const now = clock.now();
    const over = [...this.#records.values()].filter(
      (old) => (endOf(old) ?? now) < now - KEEP_ENDED_MS,
    );
    if (this.#records.size - over.length >= MOST_TOKENS)
      throw new LimpetError('exhausted', `there are ${MOST_TOKENS} tokens; revoke some`);
    const id = `at-${randomBytes(6).toString('hex')}`;
    const secret = randomBytes(32).toString('base64url');
    const record: ApiTokenRecord = {
      ...{ v: 1, id, name: name === '' ? id : name, role, sha256: hashOf(secret), createdAt: now },
      ...(ttlMs === undefined ? {} : { expiresAt: now + ttlMs }),
    };
    await this.#write([record], over);
    this.#records.set(id, record);
    for (const old of over) this.#records.delete(old.id);
    log.info('api.token-created', { token: id, name: record.name, role });
    return { token: `${id}.${secret}`, view: viewOf(record, now) };
  }

  list(): ApiTokenView[] {
    const now = this.#parts.clock.now();
    return [...this.#records.values()]
      .sort((a, b) => a.createdAt - b.createdAt)
      .map((record) => viewOf(record, now));
  }

  /** Twice is the same as once. Errors: `not-found`. */
  async revoke(id: string): Promise<ApiTokenView> {
    const { clock, log } = this.#parts;
    const record = this.#records.get(id);
    if (record === undefined) throw new LimpetError('not-found', `token not found: ${id}`);
    const revoked = { ...record, revokedAt: record.revokedAt ?? clock.now() };
    // Before it is written: whoever writes last uses meanwhile writes this, too.
    this.#records.set(id, revoked);
    try {
      await this.#write([revoked], []);
    } catch (thrown) {
      this.#records.set(id, record);
      throw thrown;
    }
    log.info('api.token-revoked', { token: id, name: record.name });
    return viewOf(revoked, clock.now());
  }

  /** Writes the last uses. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    await this.#writeUses();
  }

  #write(put: readonly ApiTokenRecord[], del: readonly ApiTokenRecord[]): Promise<void> {
    return this.#parts.store.batch([
      ...put.map((value) => ({ type: 'put' as const, key: apiTokenKey(value.id), value })),
      ...del.map(({ id }) => ({ type: 'del' as const, key: apiTokenKey(id) })),
    ]);
  }

  async #writeUses(): Promise<void> {
    this.#timer = undefined;
    const records = [...this.#used].flatMap((id) => this.#records.get(id) ?? []);
    this.#used.clear();
    if (records.length === 0) return;
    await this.#write(records, []).catch((thrown: unknown) => {
      this.#parts.log.warn('api.token-uses-not-written', { reason: messageOf(thrown) });
    });
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function sameHash(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function stateOf({ revokedAt, expiresAt }: ApiTokenRecord, now: number): ApiTokenView['state'] {
  if (revokedAt !== undefined) return 'revoked';
  return expiresAt !== undefined && expiresAt <= now ? 'expired' : 'active';
}

function endOf({ revokedAt, expiresAt }: ApiTokenRecord): number | undefined {
  return revokedAt ?? expiresAt;
}

function ended(record: ApiTokenRecord): string {
  const how = record.revokedAt === undefined ? 'expired' : 'was revoked';
  return `token '${record.name}' ${how} at ${new Date(endOf(record) ?? 0).toISOString()}`;
}

/** Without the hash. */
function viewOf(record: ApiTokenRecord, now: number): ApiTokenView {
  const { id, name, role, createdAt, expiresAt, revokedAt, lastUsedAt } = record;
  return {
    ...{ id, name, role, state: stateOf(record, now), createdAt },
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(revokedAt === undefined ? {} : { revokedAt }),
    ...(lastUsedAt === undefined ? {} : { lastUsedAt }),
  };
}
