/**
 * Keys and claims (JWTs) of NATS' operator mode, https://docs.nats.io/running-a-nats-service/configuration/securing_nats.
 * Nodes and join tokens get their permissions (wire/permissions.ts) by the template of the key that signs them, in which the
 * broker puts the name of the user in place of `{{name()}}`.
 *
 *   operator -> SYS account    -> system: pushes the claims of LIMPET
 *            -> LIMPET account -> requester
 *                              -> nodes (name: node id), signed by `agents`
 *                              -> join tokens (name: token id), signed by `joins`
 */
import {
  createAccount,
  createOperator,
  createUser,
  encodeAccount,
  encodeOperator,
  encodeUser,
  fmtCreds,
  fromPublic,
  fromSeed,
  newScopedSigner,
  type KeyPair,
  type UserPermissionsLimits,
} from '@nats-io/jwt';
import {
  agentPermissions,
  joinPermissions,
  REQUESTER_PERMISSIONS,
  type Permissions,
} from '../../wire/permissions.ts';

/** A key pair as it is kept: the seed gives both halves. */
export interface Key {
  readonly publicKey: string;
  readonly seed: string;
}

export function newKey(kind: 'operator' | 'account' | 'user'): Key {
  const make = { operator: createOperator, account: createAccount, user: createUser }[kind];
  return keyOf(make());
}

/** Throws on anything that is no seed. */
export function keyOfSeed(seed: string): Key {
  return keyOf(pairOf(seed));
}

/** Whether `signature` (base64url) is that of `text` by this public key. */
export function isSignedBy(publicKey: string, text: string, signature: string): boolean {
  try {
    return fromPublic(publicKey).verify(Buffer.from(text), Buffer.from(signature, 'base64url'));
  } catch {
    return false;
  }
}

export interface OperatorClaims {
  readonly operator: Key;
  /** Public. */
  readonly signing: string;
  readonly systemAccount: string;
}

export function operatorJwt({ operator, signing, systemAccount }: OperatorClaims): Promise<string> {
  const claims = { signing_keys: [signing], system_account: systemAccount };
  return encodeOperator('limpet', pairOf(operator.seed), claims);
}

const NO_LIMITS = {
  ...{ subs: -1, data: -1, payload: -1, imports: -1, exports: -1, conn: -1, leaf: -1 },
  wildcards: true,
};

export function systemAccountJwt(account: string, operatorSigningSeed: string): Promise<string> {
  const signer = pairOf(operatorSigningSeed);
  return encodeAccount('SYS', account, { limits: NO_LIMITS }, { signer });
}

export interface AccountClaims {
  /** Public keys. */
  readonly account: string;
  readonly agents: string;
  readonly joins: string;
  /** Of user keys: what was issued until then (seconds) is void. */
  readonly revoked: Readonly<Record<string, number>>;
}

export function accountJwt(
  { account, agents, joins, revoked }: AccountClaims,
  operatorSigningSeed: string,
): Promise<string> {
  const claims = {
    limits: NO_LIMITS,
    signing_keys: [newScopedSigner(agents, 'agents', AGENT), newScopedSigner(joins, 'joins', JOIN)],
    ...(Object.keys(revoked).length === 0 ? {} : { revocations: { ...revoked } }),
  };
  return encodeAccount('LIMPET', account, claims, { signer: pairOf(operatorSigningSeed) });
}

const NAME = '{{name()}}';
const AGENT = limitsOf(agentPermissions(NAME));
const JOIN = limitsOf(joinPermissions(NAME));
const REQUESTER = limitsOf(REQUESTER_PERMISSIONS);

function limitsOf({ publish, subscribe, answerMs }: Permissions): Partial<UserPermissionsLimits> {
  return {
    pub: { allow: publish },
    sub: { allow: subscribe },
    // In nanoseconds.
    ...(answerMs === undefined ? {} : { resp: { max: 1, ttl: answerMs * 1_000_000 } }),
  };
}

/** Where claims of an account are sent to, and the inbox of who sends them. */
export const CLAIMS_UPDATE = '$SYS.REQ.CLAIMS.UPDATE';
export const SYSTEM_INBOX = '_INBOX.system';

const SYSTEM: Partial<UserPermissionsLimits> = {
  pub: { allow: [CLAIMS_UPDATE] },
  sub: { allow: [`${SYSTEM_INBOX}.>`] },
};

/** A credentials file for a program that is no node: JWT and seed. */
export async function credentialsFile(who: 'requester' | 'system', account: Key): Promise<string> {
  const pair = createUser();
  const permissions = who === 'requester' ? REQUESTER : SYSTEM;
  const jwt = await encodeUser(`limpet-${who}`, pair, pairOf(account.seed), permissions);
  return new TextDecoder().decode(fmtCreds(jwt, pair));
}

export interface ScopedUser {
  readonly name: string;
  readonly publicKey: string;
  /** Public key of the account. */
  readonly account: string;
  /** Of the signing key whose template holds. */
  readonly signingSeed: string;
  readonly expiresAt: number;
}

/** The JWT expires in the second that `expiresAt` lies in. */
export function scopedUserJwt(user: ScopedUser): Promise<string> {
  const { name, publicKey, account, signingSeed, expiresAt } = user;
  return encodeUser(
    name,
    publicKey,
    account,
    {},
    {
      signer: pairOf(signingSeed),
      scopedUser: true,
      exp: Math.floor(expiresAt / 1000),
    },
  );
}

function pairOf(seed: string): KeyPair {
  return fromSeed(new TextEncoder().encode(seed.trim()));
}

function keyOf(pair: KeyPair): Key {
  return { publicKey: pair.getPublicKey(), seed: new TextDecoder().decode(pair.getSeed()) };
}
