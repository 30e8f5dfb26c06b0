/** Nodes that have joined: renewed, approved, rejected, deleted and forgotten, at a real broker in operator mode. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { Applicant, newUserKey } from './requester/applicant.ts';
import { RequesterProgram } from './requester/requester-program.ts';
import { isDenied, soon, startAuthoritySite } from '../kit/authority-site.ts';
import { natsServerSkip } from '../kit/nats-server.ts';

t.setTimeout(240_000);

t.test('members', { skip: natsServerSkip() }, async (t) => {
  const site = await startAuthoritySite(t);
  const { requester, broker } = site;

  t.test('credentials are renewed by the key alone, for the node that asks', async (t) => {
    const member = await site.joined('n-renews');
    const before = (await member.renew()).type === 'joined' ? Date.now() : 0;
    const renewed = await member.renew();
    const { expiresAt, jwt } = renewed.type === 'joined' ? renewed : { expiresAt: 0, jwt: '' };
    t.ok(
      expiresAt >= before + 86_399_000 && expiresAt <= Date.now() + 86_401_000,
      'a day from now',
    );
    t.equal(expiryOf(jwt), expiresAt, 'the broker thinks so too');
    const key = newUserKey();
    t.match(await member.renew({ key }), { type: 'refused', reason: /belongs to another key/ });
    t.match(await member.renew({ nodeId: 'n-other' }), {
      type: 'refused',
      reason: 'n-renews asked for credentials of n-other',
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

function expiryOf(jwt: string): number {
  const claims = Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString();
  return z.object({ exp: z.number() }).parse(JSON.parse(claims)).exp * 1000;
}
