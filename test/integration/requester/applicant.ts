/** A node that asks for credentials, by script: each word of its request can be another one. */
import { newKey } from '../../../adapters/authority/claims.ts';
import { askOnce } from '../../../adapters/nats/ask-once.ts';
import type { Credentials, TransportOptions } from '../../../adapters/nats/port.ts';
import { readUserKey, type UserKey } from '../../../adapters/nats/user-key.ts';
import { parseNodeId } from '../../../core/ids.ts';
import { fromBytes, toBytes } from '../../../requester/nodes/json-bytes.ts';
import { joinAnswerSchema, joinText, type JoinAnswer } from '../../../wire/join.ts';
import { parseJoinToken } from '../../../wire/join-token.ts';
import { inboxPrefix, toJoin, toRequester } from '../../../wire/subjects.ts';
import type { AuthorityBroker } from '../../kit/authority-broker.ts';

export interface Ask {
  readonly nodeId?: string;
  readonly at?: number;
  readonly key?: UserKey;
  readonly signature?: string;
  readonly timeoutMs?: number;
}

export function newUserKey(): UserKey {
  return readUserKey(newKey('user').seed, 'the test');
}

export class Applicant {
  readonly nodeId: string;
  readonly key: UserKey;
  readonly #broker: AuthorityBroker;
  #jwt = '';

  constructor(broker: AuthorityBroker, nodeId: string, key = newUserKey()) {
    this.#broker = broker;
    this.nodeId = nodeId;
    this.key = key;
  }

  /** What it connects with, once it has joined. */
  get credentials(): Credentials {
    return { type: 'jwt', jwt: this.#jwt, seed: this.key.seed };
  }

  get connection(): Pick<TransportOptions, 'servers' | 'tls'> {
    const { caCertificate } = this.#broker.files;
    return { servers: [this.#broker.url], tls: () => ({ caFile: caCertificate }) };
  }

  /** Rejects when the broker refuses the token, or nobody answers. */
  async join(text: string, ask: Ask = {}): Promise<JoinAnswer> {
    const token = parseJoinToken(text);
    const options: TransportOptions = {
      ...this.connection,
      name: 'an applicant',
      inboxPrefix: `_INBOX.${token.id}`,
      credentials: () => ({ type: 'jwt', jwt: token.jwt, seed: token.seed }),
    };
    return this.#taken(await this.#ask(options, toJoin(token.id), ask));
  }

  async renew(ask: Ask = {}): Promise<JoinAnswer> {
    const node = parseNodeId(this.nodeId);
    const options: TransportOptions = {
      ...this.connection,
      name: 'a renewal',
      inboxPrefix: inboxPrefix(node),
      credentials: () => this.credentials,
    };
    return this.#taken(await this.#ask(options, toRequester(node, 'Renew'), ask));
  }

  async #ask(options: TransportOptions, subject: string, ask: Ask): Promise<JoinAnswer> {
    const { nodeId = this.nodeId, at = Date.now(), key = this.key, timeoutMs = 5_000 } = ask;
    const { publicKey } = key;
    const { signature = key.sign(joinText({ nodeId, publicKey, at })) } = ask;
    const request = { v: 1, nodeId, publicKey, at, signature, instanceId: 'i', name: nodeId };
    const question = { subject, payload: toBytes(request), timeoutMs };
    return joinAnswerSchema.parse(fromBytes(await askOnce(options, question)));
  }

  #taken(answer: JoinAnswer): JoinAnswer {
    if (answer.type === 'joined') this.#jwt = answer.jwt;
    return answer;
  }
}
