/**
 * What the broker lets a node do, tried subject by subject with the credentials that a node really gets, while another one
 * works and its log is being read; and the same with a join token's.
 */
import t, { type Test } from 'tap';
import { jwtAuthenticator } from 'nats';
import { uuidV7 } from '../../core/ids.ts';
import { parseJoinToken } from '../../wire/join-token.ts';
import { eventually } from '../kit/eventually.ts';
import {
  ANYBODYS,
  intrude,
  listen,
  open,
  SAID_BY_NOBODY,
  say,
  subjectsOf,
  type Intruder,
} from '../kit/intruder.ts';
import { tickerJob, tickerLines } from '../kit/job-specs.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import { startSecured } from '../kit/secured.ts';

t.setTimeout(300_000);

function trespass(
  t: Test,
  url: string,
  { jwt, seed }: { readonly jwt: string; readonly seed: string },
): Promise<Intruder> {
  const authenticator = jwtAuthenticator(jwt, new TextEncoder().encode(seed));
  return intrude(t, url, { authenticator });
}

t.test('permissions of a node', { skip: natsServerSkip() }, async (t) => {
  const site = await startSecured(t);
  const { cluster, broker } = site;
  const token = await site.token({ uses: 2 });
  const [worker, other] = [site.member('worker', token), site.member('other', token)];
  await worker.agent.start();
  const { nodeId: victim } = await worker.agent.status();
  const job = await cluster.submit(tickerJob(40));
  await cluster.running(job);
  await other.agent.start();
  const { nodeId: own } = await other.agent.status();
  await other.agent.kill();
  const reader = await cluster.limpet('job', 'logs', '--follow', job);

  const foreign = subjectsOf(victim);
  const unknown = subjectsOf(`n-${uuidV7(Date.now(), new Uint8Array(10))}`);
  const others = [...foreign.toIt, ...foreign.byIt, ...unknown.toIt, ...unknown.byIt];
  const inboxes = [`_INBOX.${victim}.>`, `_INBOX.${victim}.x.1`, `_INBOX.${victim}`];
  const joins = ['node.join.jt-abcdefghij12.Join/v1', `node.join.${own}.Join/v1`];
  const mine = subjectsOf(own);
  const listened = [...ANYBODYS, ...others, ...inboxes, ...joins, ...mine.byIt];
  const said = [
    ...SAID_BY_NOBODY,
    ...others,
    ...inboxes.slice(1),
    ...joins,
    ...mine.toIt,
    `_INBOX.${own}.x.1`,
  ];

  t.test('with the credentials of a node', async (t) => {
    const node = await trespass(t, broker.url, other.credentials());
    listen(node, listened);
    say(node, said);
    await node.judged();
    t.strictSame(open(node, 'subscription', listened), [], 'it listens to nothing foreign');
    t.strictSame(open(node, 'publish', said), [], 'and says nothing in another name');
    t.ok(node.refused.size > 150, `${node.refused.size} refusals`);

    t.test('its own subjects work', async (t) => {
      const free = await trespass(t, broker.url, other.credentials());
      const listens = [...mine.toIt, `node.compute.${own}.>`, `_INBOX.${own}.>`];
      listen(free, listens);
      say(free, mine.byIt);
      await free.judged();
      t.strictSame([...free.refused], []);
    });

    t.test('nothing foreign came while the other one worked', async (t) => {
      t.equal((await cluster.ended(job)).state, 'Completed');
      await reader.waitForExit(30_000);
      t.equal(reader.stdout, tickerLines(40));
      await node.judged();
      t.strictSame(node.got, []);
      const { stderr } = cluster.requester;
      t.notMatch(stderr, new RegExp(`wire\\.unreadable[^\\n]*${victim}`), 'nor did its own arrive');
    });
  });

  t.test('with the credentials of a join token', async (t) => {
    const contents = parseJoinToken(await site.token());
    const guest = await trespass(t, broker.url, contents);
    const subject = `node.join.${contents.id}.Join/v1`;
    const heard = [...listened, ...mine.toIt, subject, `_INBOX.${own}.>`];
    const told = [...said, ...mine.byIt];
    listen(guest, heard);
    say(guest, told);
    await guest.judged();
    t.strictSame(open(guest, 'subscription', heard), []);
    t.strictSame(open(guest, 'publish', told), []);
    t.strictSame(guest.got, []);
    const free = await trespass(t, broker.url, contents);
    listen(free, [`_INBOX.${contents.id}.>`]);
    say(free, [subject]);
    await free.judged();
    t.strictSame([...free.refused], [], 'it may ask to join');
  });

  t.test('a rejected node is cut off at once, and stays out', async (t) => {
    const node = await trespass(t, broker.url, other.credentials());
    await site.order(own, 'reject');
    await eventually('the end of its connection', () => node.nats.isClosed(), 30_000);
    await t.rejects(trespass(t, broker.url, other.credentials()), /Authorization Violation/);
  });
});
