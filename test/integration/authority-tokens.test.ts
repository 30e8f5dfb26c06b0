/** Join tokens and who asks with them, at a real broker in operator mode. */
import t from 'tap';
import { Applicant, newUserKey } from './requester/applicant.ts';
import { isDenied, soon, startAuthoritySite } from '../kit/authority-site.ts';
import { natsServerSkip } from '../kit/nats-server.ts';

t.setTimeout(240_000);

t.test('join tokens', { skip: natsServerSkip() }, async (t) => {
  const site = await startAuthoritySite(t);
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

  t.test('an expired token is refused by the broker itself', async (t) => {
    const { id, token, expiresAt } = await site.token({ ttlMs: 1_000 });
    t.ok(expiresAt <= Date.now() + 2_000, 'to the second');
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
});
