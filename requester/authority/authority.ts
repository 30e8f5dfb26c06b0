/** The authority at work: signs what nodes and join tokens show the broker, and what the broker has to know of them. */
import {
  accountJwt,
  keyOfSeed,
  newKey,
  scopedUserJwt,
  type Key,
} from '../../adapters/authority/claims.ts';
import { readIfThere } from '../../adapters/durable/if-there.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { NodeId } from '../../core/ids.ts';
import { formatJoinToken } from '../../wire/join-token.ts';
import { aboutSchema, filesOf, type AboutAuthority, type AuthorityFiles } from './layout.ts';

interface Keys {
  readonly operator: Key;
  readonly agents: Key;
  readonly joins: Key;
}

export class Authority {
  readonly files: AuthorityFiles;
  readonly #about: AboutAuthority;
  readonly #keys: Keys;
  readonly #ca: string | undefined;

  private constructor(files: AuthorityFiles, about: AboutAuthority, keys: Keys) {
    this.files = files;
    this.#about = about;
    this.#keys = keys;
    this.#ca = about.tls ? need(files.caCertificate) : undefined;
  }

  /** Errors: `invalid-config`. */
  static open(folder: string): Authority {
    const files = filesOf(folder);
    const about = readAbout(files.about);
    const { signing } = about;
    return new Authority(files, about, {
      operator: readKey(files.operatorSigningKey, signing.operator),
      agents: readKey(files.agentsKey, signing.agents),
      joins: readKey(files.joinsKey, signing.joins),
    });
  }

  /** What a node connects with. */
  nodeJwt(node: NodeId, publicKey: string, expiresAt: number): Promise<string> {
    const { seed: signingSeed } = this.#keys.agents;
    const { account } = this.#about;
    return scopedUserJwt({ name: node, publicKey, account, signingSeed, expiresAt });
  }

  /** The whole join token, as one word: a secret. */
  async joinToken(id: string, expiresAt: number): Promise<string> {
    const { publicKey, seed } = newKey('user');
    const { seed: signingSeed } = this.#keys.joins;
    const { account } = this.#about;
    const jwt = await scopedUserJwt({ name: id, publicKey, account, signingSeed, expiresAt });
    return formatJoinToken({ id, jwt, seed, ...(this.#ca === undefined ? {} : { ca: this.#ca }) });
  }

  /** The claims of the account; of each of these keys everything issued until that second is void. */
  claims(revoked: Readonly<Record<string, number>>): Promise<string> {
    const { account, signing } = this.#about;
    return accountJwt({ account, ...signing, revoked }, this.#keys.operator.seed);
  }
}

/** Errors: `invalid-config`. */
export function readAbout(file: string): AboutAuthority {
  const text = need(file);
  try {
    return aboutSchema.parse(JSON.parse(text));
  } catch (thrown) {
    throw new LimpetError('invalid-config', `${file} is damaged; restore it from a copy`, {
      cause: thrown,
    });
  }
}

function readKey(file: string, publicKey: string): Key {
  const key = keyIn(file);
  if (key?.publicKey === publicKey) return key;
  throw new LimpetError(
    'invalid-config',
    `${file} holds ${key === undefined ? 'no key' : 'another key than authority.json names'}; restore it from a copy`,
  );
}

function keyIn(file: string): Key | undefined {
  const text = need(file);
  try {
    return keyOfSeed(text);
  } catch {
    return undefined;
  }
}

function need(file: string): string {
  let text: string | undefined;
  try {
    text = readIfThere(file);
  } catch (thrown) {
    throw new LimpetError('invalid-config', `cannot read ${file}: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
  if (text !== undefined) return text;
  throw new LimpetError(
    'invalid-config',
    `${file} is missing; \`authority\` has to name a folder that \`limpet requester init\` has made`,
  );
}
