/** Credentials of an operator's broker: what is refused, how it is told, and that they are replaced without a gap. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { credsFile } from '../../adapters/nats/creds-file.ts';
import type { Credentials } from '../../adapters/nats/port.ts';
import { startAuthorityBroker } from '../kit/authority-broker.ts';
import { eventually } from '../kit/eventually.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { open } from './transport-suite.ts';

t.setTimeout(120_000);

const LONG_MS = 600_000;

t.test('an operator’s broker', { skip: natsServerSkip() }, async (t) => {
  const broker = await startAuthorityBroker(t);
  const node = (credentials: Credentials | (() => Credentials), name = 'n-a') => ({
    credentials: typeof credentials === 'function' ? credentials : () => credentials,
    inboxPrefix: `_INBOX.${name}`,
  });
  const requester = () => ({
    credentials: credsFile(broker.files.requesterCreds),
    inboxPrefix: '_INBOX.requester',
  });

  t.test('a .creds file is read, and what is wrong with one is said', async (t) => {
    const transport = await open(t, broker.url, requester());
    t.equal(transport.connected, true);
    t.throws(() => credsFile('/nowhere'), { message: /credentials file \/nowhere cannot be read/ });
    const file = join(tempDir(t), 'x.creds');
    writeFileSync(file, 'hello');
    t.throws(() => credsFile(file), { message: /holds no NATS user JWT: expected a \.creds file/ });
    const [one, other] = [broker.files.requesterCreds, broker.files.systemCreds];
    const [head = ''] = readFileSync(one, 'utf8').split('-----BEGIN USER NKEY');
    const [, tail = ''] = readFileSync(other, 'utf8').split('-----BEGIN USER NKEY');
    writeFileSync(file, `${head}-----BEGIN USER NKEY${tail}`);
    t.throws(() => credsFile(file), { message: /holds a key and a JWT of another key/ });
  });

  t.test(
    'credentials that are over, of another operator, without any: one line each',
    async (t) => {
      const said = async (credentials: Credentials | undefined): Promise<string> => {
        const transport = await open(t, broker.url, {
          credentials: () => credentials,
          inboxPrefix: '_INBOX.n-a',
        });
        await eventually('the refusal', () => transport.refused);
        let line = '';
        transport.onConnection((_, detail) => (line = detail));
        return line;
      };
      const over = await broker.credentials('n-a', -60_000);
      t.match(
        await said(over),
        /^permission-denied: the broker nats:.* refuses these credentials: the JWT of n-a expired at 2/,
      );
      const elsewhere = await startAuthorityBroker(t);
      t.match(
        await said(await elsewhere.credentials('n-a', LONG_MS)),
        /the JWT of n-a \(until 2.*\) was revoked, or is not of this broker's operator$/,
      );
      t.match(await said(undefined), /refuses a program without credentials$/);
    },
  );

  t.test('a key that is not that of the JWT is found before the broker is asked', async (t) => {
    const [one, other] = [
      await broker.credentials('n-a', LONG_MS),
      await broker.credentials('n-a', LONG_MS),
    ];
    const transport = await open(t, broker.url, node({ ...one, seed: other.seed }));
    await t.rejects(transport.request('x', new Uint8Array(), 1_000), {
      message: /the key is not the one that the JWT is about/,
    });
  });

  t.test('credentials that end are replaced without a gap; without that it ends', async (t) => {
    const first = await broker.credentials('n-a', 2_500);
    let now: Credentials = first;
    const renewed = await open(
      t,
      broker.url,
      node(() => now),
    );
    const left = await open(t, broker.url, node(first));
    const changes: boolean[] = [];
    renewed.onConnection((connected) => changes.push(connected));
    const peer = await open(t, broker.url, requester());
    renewed.subscribe('node.compute.n-a.Push/v1', ({ payload }) => payload);
    peer.subscribe('node.requester.n-a.Push/v1', ({ payload }) => payload);
    now = await broker.credentials('n-a', LONG_MS);
    await renewed.renew();
    await eventually('the end of the other', () => !left.connected, 15_000);
    t.equal(left.refused, true, 'it ended for its credentials');
    t.strictSame(changes, [true]);
    const bytes = new Uint8Array([7]);
    t.strictSame([...(await peer.request('node.compute.n-a.Push/v1', bytes, 5_000))], [7]);
    t.strictSame([...(await renewed.request('node.requester.n-a.Push/v1', bytes, 5_000))], [7]);
  });

  t.test('a question that came by the old connection is answered by it', async (t) => {
    const credentials = await broker.credentials('n-a', LONG_MS);
    const transport = await open(t, broker.url, node(credentials));
    const peer = await open(t, broker.url, requester());
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    let running = false;
    transport.subscribe('node.compute.n-a.Push/v1', async ({ payload }) => {
      running = true;
      await gate;
      return payload;
    });
    await transport.request('node.requester.n-a.X/v1', new Uint8Array(), 2_000).catch(() => 0);
    const answer = peer.request('node.compute.n-a.Push/v1', new Uint8Array([9]), 20_000);
    await eventually('the handler', () => running);
    await transport.renew();
    release();
    t.strictSame([...(await answer)], [9]);
    t.strictSame(transport.problems(), []);
  });

  t.test('what is not allowed is kept as a problem until the next connection', async (t) => {
    const transport = await open(t, broker.url, node(await broker.credentials('n-a', LONG_MS)));
    transport.subscribe('node.compute.n-b.Push/v1', () => undefined);
    transport.publish('node.requester.n-b.Stream/v1.1', new Uint8Array());
    transport.publish('node.requester.n-b.Stream/v1.2', new Uint8Array());
    await eventually('both problems', () => transport.problems().length >= 2);
    t.strictSame([...transport.problems()].sort(), [
      'the broker does not allow this program to publish on node.requester.n-b.Stream/v1.*: correct the permissions of its user',
      'the broker does not allow this program to subscribe to node.compute.n-b.Push/v1: correct the permissions of its user',
    ]);
    t.equal(transport.connected, true);
  });
});
