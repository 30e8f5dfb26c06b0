/** What the transport promises while its connection is being replaced, over whatever broker. */
import type { Test } from 'tap';
import type { Transport } from '../../adapters/nats/port.ts';
import { eventually } from '../kit/eventually.ts';
import { open, type BrokerUnderTest } from './transport-suite.ts';

const RENEWALS = 25;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const number = (payload: Uint8Array): number => Number(new TextDecoder().decode(payload));

/** A round trip of each: its subscriptions are known. */
async function settled(...transports: readonly Transport[]): Promise<void> {
  for (const one of transports)
    await one.request('nobody', bytes(''), 5_000).catch(() => undefined);
}

/** Without what came twice. */
function once(seen: readonly number[]): number[] {
  return [...new Set(seen)];
}

export function testRenewal(t: Test, start: (t: Test) => Promise<BrokerUnderTest>): void {
  t.test('renewed again and again: each request is answered and handled once', async (t) => {
    const { url } = await start(t);
    const [node, peer] = [await open(t, url), await open(t, url)];
    const handled: number[] = [];
    node.subscribe('to.node', ({ payload }) => {
      handled.push(number(payload));
      return payload;
    });
    peer.subscribe('to.peer', ({ payload }) => payload);
    await settled(node, peer);
    const wrong: number[] = [];
    let asked = 0;
    let going = true;
    const asking = async (): Promise<void> => {
      while (going) {
        const n = asked++;
        const payload = bytes(String(n));
        if (number(await peer.request('to.node', payload, 10_000)) !== n) wrong.push(n);
        if (number(await node.request('to.peer', payload, 10_000)) !== n) wrong.push(n);
      }
    };
    const lanes = [asking(), asking(), asking(), asking()];
    for (let i = 0; i < RENEWALS; i++) await node.renew();
    going = false;
    await Promise.all(lanes);
    t.strictSame(wrong, [], 'each has its own answer');
    t.equal(handled.length, asked, 'none twice');
    t.strictSame(
      [...handled].sort((a, b) => a - b),
      [...Array(asked).keys()],
    );
    t.ok(asked > RENEWALS, `${asked} requests`);
  });

  t.test('renewed again and again: what is published comes whole and in order', async (t) => {
    const { url } = await start(t);
    const [node, peer] = [await open(t, url), await open(t, url)];
    const at = { node: [] as number[], peer: [] as number[] };
    node.subscribe('to.node', ({ payload }) => void at.node.push(number(payload)));
    peer.subscribe('to.peer', ({ payload }) => void at.peer.push(number(payload)));
    await settled(node, peer);
    let sent = 0;
    let going = true;
    const sending = (async () => {
      while (going) {
        node.publish('to.peer', bytes(String(sent)));
        peer.publish('to.node', bytes(String(sent)));
        sent += 1;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let i = 0; i < RENEWALS; i++) await node.renew();
    going = false;
    await sending;
    const all = [...Array(sent).keys()];
    await eventually('all of it', () => at.node.at(-1) === sent - 1 && at.peer.at(-1) === sent - 1);
    t.strictSame(at.peer, all, 'what it sends comes once');
    t.strictSame(once(at.node), all, 'what it is sent may come twice, never out of order');
  });

  t.test('a renewal waits for nothing that is under way, and breaks none of it', async (t) => {
    const { url } = await start(t);
    const [node, peer] = [await open(t, url), await open(t, url)];
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    let running = 0;
    const slow = async (): Promise<Uint8Array> => {
      running += 1;
      await gate;
      return bytes('7');
    };
    node.subscribe('to.node', slow);
    peer.subscribe('to.peer', slow);
    await settled(node, peer);
    const seen: boolean[] = [];
    node.onConnection((connected) => seen.push(connected));
    const answers = [
      peer.request('to.node', bytes(''), 20_000),
      node.request('to.peer', bytes(''), 20_000),
    ];
    await eventually('both handlers', () => running === 2);
    await node.renew();
    // Long enough for whatever would have been closed.
    for (let i = 0; i < 20; i++) await settled(node, peer);
    release();
    t.strictSame((await Promise.all(answers)).map(number), [7, 7]);
    t.strictSame(seen, [true], 'nobody was told of a loss');
  });

  t.test('a broker that is gone: the renewal fails, and the transport comes back', async (t) => {
    const broker = await start(t);
    const transport = await open(t, broker.url);
    await broker.kill();
    await transport.renew().catch((error: unknown) => t.match(error, { code: 'unavailable' }));
    await broker.restart();
    await eventually('connected', () => transport.connected, 10_000);
    await transport.renew();
    t.equal(transport.connected, true);
  });
}
