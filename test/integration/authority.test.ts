/** The requester's side of joining: tokens, credentials, membership and revocation, at a real broker in operator mode. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { eventually } from '../kit/eventually.ts';
import { startAuthorityBroker, type AuthorityBroker } from '../kit/authority-broker.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import type { Teardown } from '../kit/teardown.ts';
import { Applicant, newUserKey } from './requester/applicant.ts';
import { RequesterProgram } from './requester/requester-program.ts';
import { ScriptedAgent, type Behaviour } from './requester/scripted-agent.ts';

t.setTimeout(240_000);

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
function soon<T>(what: string, look: () => T | Promise<T>): Promise<unknown> {
  return eventually(what, look, 40_000);
}

/** By the broker, at the door. */
async function isDenied(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => false,
    (thrown: unknown) => thrown instanceof LimpetError && thrown.code === 'permission-denied',
  );
}

class Site {
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

async function startSite(t: Teardown): Promise<Site> {
  const broker = await startAuthorityBroker(t, { tls: true });
  const requester = new RequesterProgram(t, broker.url, { authority: broker.folder });
  await requester.start();
  return new Site(broker, requester);
}

t.test('a requester with an authority', { skip: natsServerSkip() }, async (t) => {
  const site = await startSite(t);
  const { requester, broker } = site;

  t.test('a node joins with a token, and what waited for it is placed at once', async (t) => {
    await requester.submit('waits-for-a-node');
    await requester.jobIs('waits-for-a-node', 'Queued');
    const made = await site.token({ name: 'rack 4', ttlMs: 60_000 });
    const applicant = new Applicant(broker, 'n-first');
    const answer = await applicant.join(made.token);
    t.equal(answer.type, 'joined');
    const agent = await site.agent(t, applicant, 'complete');
    await requester.jobIs('waits-for-a-node', 'Completed');
    const { Membership, Limpet } = await site.node('n-first');
    t.equal(Membership, 'APPROVED');
    t.equal(Limpet.Membership.reason, `joined with token ${made.id} (rack 4)`);
    t.equal(Limpet.Identity?.PublicKey, applicant.key.publicKey);
    t.equal(Limpet.Identity?.CredentialsUntil, answer.type === 'joined' ? answer.expiresAt : 0);
    await agent.stop();
  });

  t.test('a token counts each node once, and no more than it was made for', async (t) => {
    const { id, token } = await site.token({ uses: 2 });
    const one = new Applicant(broker, 'n-use-one');
    for (const turn of [1, 2, 3]) t.equal((await one.join(token)).type, 'joined', `ask ${turn}`);
    t.equal(await site.tokenState(id), 'active, 1');
    t.equal((await new Applicant(broker, 'n-use-two').join(token)).type, 'joined');
    t.equal(await site.tokenState(id), 'used up, 2');
    t.strictSame(await new Applicant(broker, 'n-use-three').join(token), {
      type: 'refused',
      reason: `join token ${id} is used up; make another one`,
      final: true,
    });
    t.equal((await one.join(token)).type, 'joined', 'who has joined with it may ask again');
  });

  t.test('a revoked token lets nobody in; who has joined with it stays', async (t) => {
    const { id, token } = await site.token({ uses: 9 });
    const member = new Applicant(broker, 'n-before');
    await member.join(token);
    t.equal((await requester.call('DELETE', `/limpet/node-tokens/${id}`)).status, 200);
    t.equal(await site.tokenState(id), 'revoked, 1');
    const late = await new Applicant(broker, 'n-after').join(token);
    t.match(late, { type: 'refused', final: true });
    t.match(late.type === 'refused' && late.reason, /^join token jt-\w{12} was revoked; make/);
    t.equal((await member.renew()).type, 'joined');
    t.equal((await requester.call('DELETE', '/limpet/node-tokens/jt-none')).status, 404);
  });

  t.test('an expired token is refused by the broker itself', async () => {
    const { id, token } = await site.token({ ttlMs: 1_000 });
    const late = new Applicant(broker, 'n-late');
    await soon('the end of the token', async () => (await site.tokenState(id)) === 'expired, 0');
    await soon('the broker to refuse it', () => isDenied(late.join(token)));
  });

  t.test('a request that is not proven is refused, and uses nothing up', async (t) => {
    const { id, token } = await site.token();
    const applicant = new Applicant(broker, 'n-proof');
    const refusal = async (ask: object): Promise<string> => {
      const answer = await applicant.join(token, ask);
      return answer.type === 'refused' ? `${answer.final} ${answer.reason}` : 'joined';
    };
    const other = newUserKey();
    const forged = await refusal({ signature: other.sign('limpet join v1') });
    t.equal(forged, `true the request is not signed by the key ${applicant.key.publicKey}`);
    const hourAgo = Date.now() - 3_600_000;
    t.match(await refusal({ at: hourAgo }), /^false the node's clock is 3\d\d\d s behind; set it$/);
    t.match(await refusal({ nodeId: 'n-.>' }), /^true node id 'n-.>' is not valid/);
    t.equal(await site.tokenState(id), 'active, 0');
  });

  t.test('a node id belongs to the key that came first', async (t) => {
    const member = await site.joined('n-taken');
    const { id, token } = await site.token();
    const thief = new Applicant(broker, 'n-taken');
    const answer = await thief.join(token);
    t.match(answer.type === 'refused' && answer.reason, /^node id n-taken belongs to another key;/);
    t.equal(answer.type === 'refused' && answer.final, true);
    t.equal(await site.tokenState(id), 'active, 0');
    t.equal((await member.renew()).type, 'joined');
  });

  t.test('credentials are renewed by the key alone, for the node that asks', async (t) => {
    const member = await site.joined('n-renews');
    const before = (await member.renew()).type === 'joined' ? Date.now() : 0;
    const renewed = await member.renew();
    t.ok(renewed.type === 'joined' && renewed.expiresAt >= before + 86_399_000, 'a day from now');
    const key = newUserKey();
    t.match(await member.renew({ key }), { type: 'refused', reason: /belongs to another key/ });
    t.match(await member.renew({ nodeId: 'n-first' }), {
      type: 'refused',
      reason: 'n-renews asked for credentials of n-first',
    });
  });

  t.test('a node of a pending token waits for an operator, and then works at once', async (t) => {
    const agent = await site.agent(t, await site.joined('n-waits', { pending: true }), 'complete');
    await soon('the handshake', () => agent.handshakes.at(-1)?.type === 'pending');
    await requester.submit('waits-for-approval');
    await requester.jobIs('waits-for-approval', 'Queued');
    const approved = await site.order('n-waits', 'approve', 'seen its rack');
    t.strictSame([approved.status, agent.session === ''], [200, true], approved.text);
    agent.handshakeAgain();
    await requester.jobIs('waits-for-approval', 'Completed');
    t.match((await site.node('n-waits')).Limpet.Membership, {
      ...{ state: 'approved', reason: 'seen its rack', by: 'admin' },
    });
    t.equal((await site.order('n-waits', 'approve')).status, 409);
    t.equal((await site.order('n-none', 'approve')).status, 404);
    t.equal((await site.order('n-waits', 'promote')).status, 400);
    await agent.stop();
  });

  t.test('a rejected node stops its work, is cut off, and stays out until approved', async (t) => {
    const member = await site.joined('n-bad');
    const agent = await site.agent(t, member, 'hold');
    await soon('the handshake', () => agent.session);
    await soon('the other nodes to be silent', () => site.isAlone('n-bad'));
    await requester.submit('was-there');
    await requester.jobIs('was-there', 'Running');
    t.equal((await site.order('n-bad', 'delete')).status, 409, 'it is connected');
    t.equal((await site.order('n-bad', 'reject', 'bought by others')).status, 200);
    await soon('the order to stop', () => agent.stops.length === 1);
    const told = await requester.jobIs('was-there', 'Queued');
    t.ok(
      told.History.Items.some(({ Event }) =>
        /stop requested because its node was rejected: bought by others$/.test(Event.Message),
      ),
      'the job tells why',
    );
    await soon('the broker to cut it off', () => !agent.connected);
    t.equal((await site.order('n-bad', 'reject')).status, 409);
    await t.rejects(member.renew(), { code: 'permission-denied' }, 'the broker refuses it');
    const { token } = await site.token();
    t.match(await new Applicant(broker, 'n-bad', member.key).join(token), {
      ...{ type: 'refused', final: true, reason: 'n-bad is rejected: bought by others' },
    });
    t.match(await new Applicant(broker, 'n-other-name', member.key).join(token), {
      ...{ type: 'refused', final: true, reason: 'this key was rejected, as that of n-bad' },
    });

    await requester.program.kill('SIGKILL');
    await broker.restart('forgetful');
    await requester.start();
    await soon('the broker to be told again', () =>
      /"event":"authority.claims-taken"/.test(requester.program.stderr),
    );
    await t.rejects(member.renew(), { code: 'permission-denied' }, 'still after both came anew');

    await broker.restart('forgetful');
    await soon('the broker to be told by itself', () => isDenied(member.renew()));

    t.equal((await site.order('n-bad', 'approve')).status, 200);
    await soon('the broker to let it in', () => agent.connected);
    agent.handshakeAgain();
    await soon('a fresh handshake', () => agent.session);
    await requester.submit('after-approval');
    await requester.jobIs('after-approval', 'Running');
    for (const job of ['was-there', 'after-approval'])
      await requester.call('DELETE', `/orchestrator/jobs/${job}`);
    await agent.stop();
  });

  t.test('a deleted node is forgotten, and comes back with a new token alone', async (t) => {
    const member = await site.joined('n-gone');
    const agent = await site.agent(t, member, 'complete');
    await soon('the handshake', () => agent.session);
    await agent.stop();
    await soon('its silence', async () => (await site.order('n-gone', 'delete')).status === 200);
    t.equal((await requester.call('GET', '/orchestrator/nodes/n-gone')).status, 404);
    await soon('the broker to be told', () => isDenied(member.renew()));
    const { token } = await site.token();
    t.equal((await member.join(token)).type, 'joined');
    const again = await site.agent(t, member, 'complete');
    await soon('the handshake', () => again.session);
    await again.stop();
  });

  t.test('killed between count and answer: the same key is answered, no other one', async (t) => {
    const { id, token } = await site.token();
    await requester.program.kill('SIGKILL');
    // The first turn is that of the start.
    await requester.start({ LIMPET_CRASH_AT: 'requester.turn.after-commit:2' });
    const member = new Applicant(broker, 'n-crash');
    await t.rejects(member.join(token, { timeoutMs: 1_500 }), 'no answer');
    await requester.program.waitForExit(40_000);
    await requester.start();
    t.equal(await site.tokenState(id), 'used up, 1');
    t.equal((await member.join(token)).type, 'joined');
    t.equal((await new Applicant(broker, 'n-crash-other').join(token)).type, 'refused');
  });

  t.test('a lost store: a node with good credentials is known by its key, and waits', async (t) => {
    const member = await site.joined('n-forgotten');
    await requester.program.kill('SIGKILL');
    for (const lost of ['store', 'generation.json'])
      rmSync(join(requester.folder, lost), { recursive: true });
    await requester.start();
    const agent = await site.agent(t, member, 'complete');
    await soon('the handshake', () => agent.handshakes.at(-1)?.type === 'pending');
    t.equal((await member.renew()).type, 'joined', 'it does not fall off the broker');
    const { Limpet } = await site.node('n-forgotten');
    t.equal(Limpet.Identity?.PublicKey, member.key.publicKey);
    t.match(Limpet.Membership.reason, /how it joined is not known here any more$/);
    await site.order('n-forgotten', 'approve');
    agent.handshakeAgain();
    await soon('the handshake', () => agent.session);
    await agent.stop();
  });
});

t.test('an authority that is damaged ends the start in one line', async (t) => {
  const requester = new RequesterProgram(t, 'nats://127.0.0.1:1', { authority: '/nonexistent' });
  await requester.start();
  t.match(requester.program.stderr, /^requester: .*\/nonexistent\/\S+ .*\n$/);
  t.not(requester.program.exit?.code, 0);
});
