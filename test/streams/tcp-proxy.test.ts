/** The proxy of these tests does to a connection what it says, and nothing else. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { eventually } from '../kit/eventually.ts';
import { startTcpProxy } from '../kit/tcp-proxy.ts';

/** A server that sends back what it gets, behind a proxy. */
async function echo(t: Test) {
  const seen = { byServer: 0, byClient: 0 };
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      seen.byServer += bytes.length;
      socket.write(bytes);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  t.teardown(() => server.close());
  const proxy = await startTcpProxy(t, address.port);
  const open = async (): Promise<Socket> => {
    const client = connect(proxy.port, '127.0.0.1');
    t.teardown(() => client.destroy());
    client.on('error', () => undefined);
    client.on('data', (bytes) => (seen.byClient += bytes.length));
    await once(client, 'connect');
    return client;
  };
  const both = (bytes: number) =>
    eventually(`${bytes} bytes there and back`, () => seen.byClient === bytes, 10_000);
  return { proxy, seen, open, both };
}

t.test('it swallows one direction, after so many bytes, until it heals', async (t) => {
  const { proxy, seen, open, both } = await echo(t);
  const client = await open();
  client.write('12345');
  await both(5);
  proxy.swallow(['to-client'], 3);
  client.write('12345');
  await eventually('the server to have all', () => seen.byServer === 10, 10_000);
  await both(8);
  const ended = once(client, 'close');
  proxy.heal();
  await ended;
  (await open()).write('12');
  await both(10);
});

t.test('it cuts, and takes nobody until it heals', async (t) => {
  const { proxy, open, both } = await echo(t);
  const client = await open();
  const ended = once(client, 'close');
  proxy.cut();
  await ended;
  await once(await open(), 'close');
  proxy.heal();
  (await open()).write('12');
  await both(2);
});

t.test('it delays and throttles, in order', async (t) => {
  const { proxy, open, both } = await echo(t);
  const client = await open();
  proxy.slow({ delayMs: 100 });
  const began = performance.now();
  client.write('12345');
  await both(5);
  t.ok(performance.now() - began > 195, 'there and back');
  proxy.slow({ bytesPerSecond: 1_000_000 });
  const from = performance.now();
  client.write(Buffer.alloc(300_000));
  await both(300_005);
  t.ok(performance.now() - from > 200);
});
