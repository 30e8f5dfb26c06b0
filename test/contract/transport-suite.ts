/** What the transport promises, over whatever broker. */
import type { Test } from 'tap';
import { connectTransport } from '../../adapters/nats/nats-transport.ts';
import type { BrokerTransport, Transport, TransportOptions } from '../../adapters/nats/port.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { eventually } from '../kit/eventually.ts';

export interface BrokerUnderTest {
  readonly url: string;
  /** Ends it, connections and all. */
  kill(): Promise<void>;
  /** Starts it again at the same address. */
  restart(): Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (payload: Uint8Array): string => new TextDecoder().decode(payload);

export async function open(
  t: Test,
  url: string,
  options: Partial<TransportOptions> = {},
): Promise<BrokerTransport> {
  const defaults = { servers: [url], name: 'test', inboxPrefix: '_INBOX.n-test' };
  const transport = await connectTransport({ ...defaults, ...options }, silentLog);
  t.teardown(() => transport[Symbol.asyncDispose]());
  return transport;
}

/** A round trip: what was asked of the broker before it has been done. */
async function settled(transport: Transport): Promise<void> {
  await transport.request('nobody.at.home', bytes(''), 2_000).catch(() => undefined);
}

export function testTransport(t: Test, start: (t: Test) => Promise<BrokerUnderTest>): void {
  t.test('is connected once the promise is kept', async (t) => {
    const transport = await open(t, (await start(t)).url);
    t.equal(transport.connected, true);
    t.equal(transport.maxPayload, 1_048_576);
  });

  t.test('a request is answered by the handler', async (t) => {
    const { url } = await start(t);
    const [asker, answerer] = [await open(t, url), await open(t, url)];
    answerer.subscribe('echo.*', ({ subject, payload }) => bytes(`${subject} ${text(payload)}`));
    await settled(answerer);
    t.equal(text(await asker.request('echo.a', bytes('hi'), 2_000)), 'echo.a hi');
  });

  t.test('an absent peer is unavailable at once, not at the time-out', async (t) => {
    const transport = await open(t, (await start(t)).url);
    const before = performance.now();
    await t.rejects(transport.request('nobody', bytes(''), 60_000), {
      code: 'unavailable',
      message: /nobody/,
    });
    t.ok(performance.now() - before < 5_000);
  });

  t.test('a silent peer is a time-out', async (t) => {
    const transport = await open(t, (await start(t)).url);
    transport.subscribe('silent', () => undefined);
    await t.rejects(transport.request('silent', bytes(''), 100), { code: 'timeout' });
  });

  t.test('a handler that throws answers nothing, and the next message is handled', async (t) => {
    const transport = await open(t, (await start(t)).url);
    transport.subscribe('s', ({ payload }) => {
      if (text(payload) === 'bad') throw new Error('bad');
      return bytes('ok');
    });
    await t.rejects(transport.request('s', bytes('bad'), 100), { code: 'timeout' });
    t.equal(text(await transport.request('s', bytes('good'), 2_000)), 'ok');
  });

  t.test('handlers start in order and run side by side', async (t) => {
    const transport = await open(t, (await start(t)).url);
    const started: number[] = [];
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    transport.subscribe('n', async ({ payload }) => {
      started.push(Number(text(payload)));
      await gate;
    });
    for (let i = 0; i < 100; i++) transport.publish('n', bytes(String(i)));
    await eventually('100 handlers side by side', () => started.length === 100, 5_000);
    t.same(started, [...started.keys()]);
    release();
  });

  t.test('too large a message is refused before it is sent', async (t) => {
    const transport = await open(t, (await start(t)).url);
    const large = new Uint8Array(transport.maxPayload + 1);
    t.throws(() => transport.publish('x', large), { code: 'too-large' });
    await t.rejects(transport.request('x', large, 1_000), { code: 'too-large' });
    t.equal(transport.connected, true);
  });

  t.test('a subject with a wildcard or a line break cannot be sent to', async (t) => {
    const transport = await open(t, (await start(t)).url);
    for (const subject of ['a.*', '>', 'a b', 'a\r\nPUB b 0', '', 'a..b']) {
      t.throws(() => transport.publish(subject, bytes('')), { code: 'invalid-argument' });
    }
  });

  t.test('nothing is handled after unsubscribe', async (t) => {
    const transport = await open(t, (await start(t)).url);
    const subscription = transport.subscribe('s', () => bytes('ok'));
    await transport.request('s', bytes(''), 2_000);
    subscription.unsubscribe();
    subscription.unsubscribe();
    await t.rejects(transport.request('s', bytes(''), 2_000), { code: 'unavailable' });
  });

  t.test('broker gone and back: fails at once, then works with its subscriptions', async (t) => {
    const broker = await start(t);
    const transport = await open(t, broker.url);
    const seen: boolean[] = [];
    transport.onConnection((connected) => seen.push(connected));
    transport.subscribe('s', () => bytes('ok'));
    transport.subscribe('silent', () => undefined);
    await settled(transport);
    const underWay = transport.request('silent', bytes(''), 60_000);
    const lost = t.rejects(underWay, { code: 'unavailable', message: /broker/ });
    await broker.kill();
    await lost;
    const gone = { code: 'unavailable', message: new RegExp(broker.url) };
    await t.rejects(transport.request('s', bytes(''), 60_000), gone);
    t.throws(() => transport.publish('s', bytes('')), { code: 'unavailable' });
    await broker.restart();
    await eventually('connected', () => transport.connected, 10_000);
    t.equal(text(await transport.request('s', bytes(''), 2_000)), 'ok');
    t.same(
      seen.filter((one, i) => one !== seen[i - 1]),
      [true, false, true],
    );
  });

  t.test('returns without a broker and connects when there is one', async (t) => {
    const broker = await start(t);
    await broker.kill();
    const before = performance.now();
    const transport = await open(t, broker.url);
    t.ok(performance.now() - before < 3_000);
    t.equal(transport.connected, false);
    transport.subscribe('s', () => bytes('ok'));
    await t.rejects(transport.request('s', bytes(''), 60_000), { code: 'unavailable' });
    await broker.restart();
    await eventually('connected', () => transport.connected, 10_000);
    t.equal(text(await transport.request('s', bytes(''), 2_000)), 'ok');
  });

  t.test('dispose waits for a running handler and sends its answer', async (t) => {
    const { url } = await start(t);
    const [asker, answerer] = [await open(t, url), await open(t, url)];
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    let running = false;
    answerer.subscribe('s', async () => {
      running = true;
      await gate;
      return bytes('late but sent');
    });
    await settled(answerer);
    const answer = asker.request('s', bytes(''), 10_000);
    await eventually('the handler', () => running, 5_000);
    const disposed = answerer[Symbol.asyncDispose]();
    release();
    await disposed;
    t.equal(text(await answer), 'late but sent');
    t.equal(answerer.connected, false);
  });

  t.test('dispose twice is the same as once, connected or not', async (t) => {
    const broker = await start(t);
    const connected = await open(t, broker.url);
    await Promise.all([connected[Symbol.asyncDispose](), connected[Symbol.asyncDispose]()]);
    await broker.kill();
    const lonely = await open(t, broker.url);
    await lonely[Symbol.asyncDispose]();
    await lonely[Symbol.asyncDispose]();
    await t.rejects(lonely.request('s', bytes(''), 1_000), { code: 'unavailable' });
  });
}
