/** A requester with an authority, its broker in operator mode, and nodes that join with tokens of it. */
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { Applicant } from '../integration/requester/applicant.ts';
import { RequesterProgram } from '../integration/requester/requester-program.ts';
import { ScriptedAgent, type Behaviour } from '../integration/requester/scripted-agent.ts';
import { startAuthorityBroker, type AuthorityBroker } from './authority-broker.ts';
import { eventually } from './eventually.ts';
import type { Teardown } from './teardown.ts';

const madeSchema = z.looseObject({ id: z.string(), token: z.string(), expiresAt: z.number() });
const listSchema = z.object({
  tokens: z.array(z.looseObject({ id: z.string(), state: z.string(), used: z.array(z.unknown()) })),
});
const aliveSchema = z.object({
  Nodes: z.array(z.looseObject({ Info: z.looseObject({ NodeID: z.string() }) })),
});
const nodeSchema = z.object({
  Node: z.looseObject({
    Membership: z.string(),
    Limpet: z.looseObject({
      Membership: z.looseObject({ state: z.string(), reason: z.string(), by: z.string() }),
      Identity: z.looseObject({ PublicKey: z.string(), CredentialsUntil: z.number() }).optional(),
    }),
  }),
});

/** A loaded machine takes its time. */
export function soon<T>(what: string, look: () => T | Promise<T>): Promise<unknown> {
  return eventually(what, look, 40_000);
}

/** By the broker, at the door. */
export async function isDenied(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => false,
    (thrown: unknown) => thrown instanceof LimpetError && thrown.code === 'permission-denied',
  );
}

export class AuthoritySite {
  readonly broker: AuthorityBroker;
  readonly requester: RequesterProgram;

  constructor(broker: AuthorityBroker, requester: RequesterProgram) {
    this.broker = broker;
    this.requester = requester;
  }

  async token(wish: object = {}): Promise<z.infer<typeof madeSchema>> {
    const { body } = await this.requester.call('POST', '/limpet/node-tokens', wish);
    return madeSchema.parse(body);
  }

  async tokenState(id: string): Promise<string> {
    const { body } = await this.requester.call('GET', '/limpet/node-tokens');
    const found = listSchema.parse(body).tokens.find((token) => token.id === id);
    return `${found?.state}, ${found?.used.length}`;
  }

  async node(id: string): Promise<z.infer<typeof nodeSchema>['Node']> {
    const { body } = await this.requester.call('GET', `/orchestrator/nodes/${id}`);
    return nodeSchema.parse(body).Node;
  }

  async isAlone(id: string): Promise<boolean> {
    const { body } = await this.requester.call(
      'GET',
      '/orchestrator/nodes?filter-status=connected',
    );
    return aliveSchema.parse(body).Nodes.every(({ Info }) => Info.NodeID === id);
  }

  async order(id: string, Action: string, Message = ''): Promise<{ status: number; text: string }> {
    return this.requester.call('PUT', `/orchestrator/nodes/${id}`, { Action, Message });
  }

  /** Has joined with a token of its own. */
  async joined(id: string, wish: object = {}): Promise<Applicant> {
    const applicant = new Applicant(this.broker, id);
    const answer = await applicant.join((await this.token(wish)).token);
    if (answer.type !== 'joined') throw new Error(answer.reason);
    return applicant;
  }

  agent(t: Teardown, applicant: Applicant, behaviour: Behaviour): Promise<ScriptedAgent> {
    const { tls } = applicant.connection;
    return ScriptedAgent.start(t, {
      ...{ natsUrl: this.broker.url, nodeId: applicant.nodeId, behaviour },
      broker: { credentials: () => applicant.credentials, ...(tls === undefined ? {} : { tls }) },
    });
  }
}

export async function startAuthoritySite(t: Teardown): Promise<AuthoritySite> {
  const broker = await startAuthorityBroker(t, { tls: true });
  const requester = new RequesterProgram(t, broker.url, { authority: broker.folder });
  await requester.start();
  return new AuthoritySite(broker, requester);
}
