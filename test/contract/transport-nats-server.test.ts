import t from 'tap';
import { natsServerSkip, startNatsServer } from '../kit/nats-server.ts';
import { testRenewal } from './transport-renewal.ts';
import { open, testTransport } from './transport-suite.ts';

t.setTimeout(120_000);

t.test('transport over nats-server', { skip: natsServerSkip() }, (t) => {
  testTransport(t, (t) => startNatsServer(t));
  testRenewal(t, (t) => startNatsServer(t));

  t.test('what the broker does not allow is permission-denied', async (t) => {
    const allowed = 'publish: ["ok.>"], subscribe: ["ok.>", "_INBOX.n-a.>"]';
    const user = `{ user: a, password: p, permissions { ${allowed} } }`;
    const { url } = await startNatsServer(t, { config: `authorization { users = [ ${user} ] }` });
    const transport = await open(t, url, {
      credentials: () => ({ type: 'password', user: 'a', password: 'p' }),
      inboxPrefix: '_INBOX.n-a',
    });
    const denied = transport.request('node.other', new Uint8Array(), 30_000);
    await t.rejects(denied, { code: 'permission-denied', message: /node\.other/ });
    await t.rejects(transport.request('ok.x', new Uint8Array(), 5_000), { code: 'unavailable' });
  });

  t.test('wrong credentials are named', async (t) => {
    const { url } = await startNatsServer(t, { config: 'authorization { user: a, password: p }' });
    const transport = await open(t, url, {
      credentials: () => ({ type: 'password', user: 'a', password: 'wrong' }),
    });
    const refused = {
      code: 'permission-denied',
      message: /permission-denied.*refuses these credentials/,
    };
    await t.rejects(transport.request('x', new Uint8Array(), 5_000), refused);
  });
  t.end();
});
