/** Readers that take nothing: nothing is made for them meanwhile, and after a minute they are let go. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { logBody, STALL_MS } from '../../requester/api/log-body.ts';
import { socketSender } from '../../requester/api/socket-sender.ts';
import { eventually } from '../kit/eventually.ts';
import { open } from './readers.ts';

t.setTimeout(60_000);

const PIECE = Buffer.alloc(64 * 1024, 'x');

/** Resolves when a count has not grown between two looks. */
async function still(count: () => number): Promise<void> {
  let last = -1;
  await eventually('the reader to be full', () => {
    const same = count() > 0 && count() === last;
    last = count();
    return same;
  });
}

t.test('an answer', async (t) => {
  const clock = new FakeClock();
  let [made, gone] = [0, 0];
  let quiet: (() => void) | undefined;
  const app = new Hono<{ Bindings: { outgoing: { destroy(): void } } }>();
  const body = (chunks: AsyncGenerator<Uint8Array>, cut: () => void) =>
    logBody({ chunks, clock, cut, onGone: () => (gone += 1) });
  app.get('/api/v1/endless', (c) => {
    const chunks = (async function* () {
      for (;;) {
        made += 1;
        yield await Promise.resolve(PIECE);
      }
    })();
    return c.body(body(chunks, () => c.env.outgoing.destroy()));
  });
  app.get('/api/v1/quiet', (c) => {
    const chunks = (async function* () {
      yield PIECE;
      await new Promise<void>((resolve) => (quiet = resolve));
    })();
    return c.body(body(chunks, () => c.env.outgoing.destroy()));
  });
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  t.teardown(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const place = { url: `http://127.0.0.1:${port}`, token: '' };

  const stuck = await open(place, 'endless');
  stuck.on('error', () => undefined);
  await still(() => made);
  t.ok(made < 512, `${made} pieces were made`);
  await clock.advance(STALL_MS - 1);
  t.equal(gone, 0);
  await clock.advance(1);
  t.ok(gone > 0);
  stuck.resume();
  await eventually('the end of the connection', () => stuck.destroyed || stuck.errored);

  gone = 0;
  const idle = await open(place, 'quiet');
  let bytes = 0;
  idle.on('data', (part: Buffer) => (bytes += part.length));
  await eventually('the first piece', () => bytes === PIECE.length && quiet);
  await clock.advance(10 * STALL_MS);
  t.equal(gone, 0, 'whoever has taken all there is is no slow reader');
  quiet?.();
  await eventually('the end', () => idle.complete);

  const leaving = await open(place, 'endless');
  leaving.on('error', () => undefined);
  leaving.destroy();
  await eventually('the reader to be gone', () => gone > 0);
});

t.test('a WebSocket', async (t) => {
  const clock = new FakeClock();
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  client.on('error', () => undefined);
  const [socket] = (await once(server, 'connection')) as [WebSocket];
  await once(client, 'open');
  client.pause();
  let [sent, stalls] = [0, 0];
  const send = socketSender(socket, clock, () => (stalls += 1));
  const sending = (async () => {
    while (socket.readyState === WebSocket.OPEN) {
      await send(PIECE.toString());
      sent += 1;
    }
  })();
  await still(() => sent);
  t.ok(sent < 512, `${sent} messages were sent`);
  await clock.advance(STALL_MS - 1);
  t.equal(socket.readyState, WebSocket.OPEN);
  await clock.advance(1);
  await sending;
  t.equal(stalls, 1);
  t.equal(clock.pending, 0);
});
