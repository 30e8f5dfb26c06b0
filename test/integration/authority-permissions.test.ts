/** What the credentials of an authority let their owner do at its broker, other than nodes and join tokens alone. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import {
  connect,
  credsAuthenticator,
  jwtAuthenticator,
  type Authenticator,
  type Msg,
  type NatsConnection,
} from 'nats';
import { startAuthorityBroker } from '../kit/authority-broker.ts';
import { eventually } from '../kit/eventually.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import type { Teardown } from '../kit/teardown.ts';

t.setTimeout(120_000);

const NOTHING = new TextEncoder().encode('{}');

interface Client {
  readonly nats: NatsConnection;
  /** `publish SUBJECT` and `subscription SUBJECT`, as the broker refuses them. */
  readonly refused: string[];
}

async function enter(t: Teardown, url: string, authenticator: Authenticator): Promise<Client> {
  const nats = await connect({ servers: [url], authenticator, reconnect: false });
  t.teardown(() => nats.close());
  const refused: string[] = [];
  const status = nats.status();
  void (async () => {
    for await (const { permissionContext: about } of status)
      if (about !== undefined) refused.push(`${about.operation} ${about.subject}`);
  })();
  return { nats, refused };
}

t.test('permissions at the broker', { skip: natsServerSkip() }, async (t) => {
  const broker = await startAuthorityBroker(t);
  const { requesterCreds, systemCreds } = broker.files;
  const withFile = (file: string): Promise<Client> =>
    enter(t, broker.url, credsAuthenticator(readFileSync(file)));

  t.test('a node answers each question once, and only where it was asked to', async (t) => {
    const requester = await withFile(requesterCreds);
    const { jwt, seed } = await broker.credentials('n-one', 60_000);
    const node = await enter(t, broker.url, jwtAuthenticator(jwt, new TextEncoder().encode(seed)));
    const asked: Msg[] = [];
    node.nats.subscribe('node.compute.n-one.>', {
      callback: (_failed, message) => void asked.push(message),
    });
    await node.nats.flush();
    const answers: string[] = [];
    const inbox = '_INBOX.requester.question.1';
    requester.nats.subscribe(inbox, { callback: (_, { subject }) => void answers.push(subject) });
    requester.nats.publish('node.compute.n-one.Push/v1', NOTHING, { reply: inbox });
    const question = await eventually('the question', () => asked[0]);
    node.nats.publish('_INBOX.requester.question.2', NOTHING);
    for (let turn = 0; turn < 3; turn += 1) question.respond(NOTHING);
    await node.nats.flush();
    await requester.nats.flush();
    t.strictSame(answers, [inbox]);
    await eventually('the refusals', () => node.refused.length >= 3);
    t.strictSame([...new Set(node.refused)].sort(), [
      `publish ${inbox}`,
      'publish _INBOX.requester.question.2',
    ]);
  });

  t.test('the requester speaks to nodes, and listens to them and to who joins', async (t) => {
    const { nats, refused } = await withFile(requesterCreds);
    const said = ['node.requester.n-one.Push/v1', 'node.join.jt-a.Join/v1', '_INBOX.n-one.x', 'x'];
    const heard = ['>', '_INBOX.>', 'node.>', 'node.compute.>', '$SYS.>'];
    t.strictSame(await tried(nats, refused, said, heard), []);
  });

  t.test('the system user sends claims, and does nothing else', async (t) => {
    const { nats, refused } = await withFile(systemCreds);
    const said = ['CLAIMS.DELETE', 'CLAIMS.LIST', 'SERVER.PING', 'ACCOUNT.PING'];
    const heard = ['>', '$SYS.>', '$SYS.ACCOUNT.>', '_INBOX.>', '_INBOX.requester.>'];
    const system = said.map((subject) => `$SYS.REQ.${subject}`);
    t.strictSame(await tried(nats, refused, [...system, 'x'], heard), []);
  });
});

/** What was not refused. */
async function tried(
  nats: NatsConnection,
  refused: readonly string[],
  ...[said, heard]: [readonly string[], readonly string[]]
): Promise<string[]> {
  for (const subject of said) nats.publish(subject, NOTHING);
  for (const subject of heard) nats.subscribe(subject, { callback: () => undefined });
  await nats.flush();
  // What the broker has refused was told before it answered; it is read in the next turns.
  await new Promise((resolve) => setImmediate(resolve));
  const all = [...said.map((s) => `publish ${s}`), ...heard.map((s) => `subscription ${s}`)];
  return all.filter((one) => !refused.includes(one));
}
