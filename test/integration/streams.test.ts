/** Streams between an agent's and a requester's transport over a real broker (the dev broker, which is always there). */
import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { systemRandom } from '../../adapters/clock/system-random.ts';
import { startDevBroker } from '../../adapters/dev-broker/broker.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { connectTransport } from '../../adapters/nats/nats-transport.ts';
import type { Transport } from '../../adapters/nats/port.ts';
import { WINDOW_BYTES } from '../../adapters/streams/frames.ts';
import type { IncomingStream, StreamServer } from '../../adapters/streams/port.ts';
import { StreamClient } from '../../adapters/streams/stream-client.ts';
import { HEARTBEAT_MS, SILENCE_MS } from '../../adapters/streams/stream-heartbeat.ts';
import { createStreamServer } from '../../adapters/streams/stream-server.ts';
import { parseNodeId } from '../../core/ids.ts';
import { toAgent } from '../../wire/subjects.ts';
import { eventually } from '../kit/eventually.ts';

const NODE = parseNodeId('n-1');
const MIB = 1024 * 1024;

interface World {
  readonly agent: Transport;
  readonly clock: FakeClock;
  readonly server: StreamServer;
  readonly client: StreamClient;
  /** Asks for a stream of what `source` gives. */
  open(source: () => AsyncIterable<Uint8Array>): Promise<IncomingStream>;
}

async function world(t: Test): Promise<World> {
  const broker = await startDevBroker({ host: '127.0.0.1', port: 0 });
  t.teardown(() => broker[Symbol.asyncDispose]());
  const connect = (name: string): Promise<Transport> =>
    connectTransport({ servers: [broker.url], name, inboxPrefix: `_INBOX.${name}` }, silentLog);
  const agent = await connect('n-1');
  const requester = await connect('requester');
  const clock = new FakeClock();
  const common = { transport: agent, nodeId: NODE, random: systemRandom, log: silentLog };
  const server = createStreamServer({ ...common, clock });
  const client = new StreamClient(requester, clock);
  t.teardown(async () => {
    for (const each of [client, server, requester, agent]) await each[Symbol.asyncDispose]();
  });
  let source: () => AsyncIterable<Uint8Array>;
  agent.subscribe(toAgent(NODE, 'ExecutionLogs'), async () => {
    const streamId = server.serve(source());
    // The answer comes after the first chunks, which is the hard order for the reader.
    await agent.request('nobody', new Uint8Array(), 5_000).catch(() => undefined);
    return new TextEncoder().encode(JSON.stringify({ type: 'opened', streamId }));
  });
  await agent.request('nobody', new Uint8Array(), 5_000).catch(() => undefined);
  const open = (next: () => AsyncIterable<Uint8Array>): Promise<IncomingStream> => {
    source = next;
    return client.request(NODE, 'ExecutionLogs', {});
  };
  return { agent, clock, server, client, open };
}

/** Numbered bytes in pieces of uneven size; tells how far it was read and whether it was returned. */
function numbers(totalBytes: number, pieceBytes = 100_003) {
  const seen = { read: 0, returned: false };
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      while (seen.read < totalBytes) {
        const size = Math.min(pieceBytes, totalBytes - seen.read);
        const piece = Uint8Array.from({ length: size }, (_, i) => ((seen.read + i) * 31) % 251);
        seen.read += size;
        yield piece;
        await Promise.resolve();
      }
    } finally {
      seen.returned = true;
    }
  }
  return { seen, source };
}

async function digest(source: AsyncIterable<Uint8Array>): Promise<{ bytes: number; sha: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of source) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, sha: hash.digest('hex') };
}

t.test('20 MB arrive exactly, the first chunks before the open answer', async (t) => {
  const { open, server, client } = await world(t);
  const size = 20_000_000;
  const stream = await open(numbers(size).source);
  t.same(await digest(stream.chunks()), await digest(numbers(size).source()));
  t.same(stream.end, { code: 'finished', message: '' });
  await eventually('both halves are free', () => server.open === 0 && client.open === 0, 5_000);
});

t.test('an empty source finishes at once', async (t) => {
  const { open } = await world(t);
  const stream = await open(numbers(0).source);
  t.equal((await digest(stream.chunks())).bytes, 0);
  t.equal(stream.end?.code, 'finished');
});

t.test('a slow reader keeps the sender within the window', async (t) => {
  const { open } = await world(t);
  const { seen, source } = numbers(4 * MIB, 64 * 1024);
  const stream = await open(source);
  const full = WINDOW_BYTES + 64 * 1024;
  await eventually('the window is full', () => seen.read >= full, 5_000);
  let consumed = 0;
  for await (const piece of stream.chunks()) {
    t.ok(seen.read - consumed <= full, `${seen.read} read, ${consumed} consumed`);
    consumed += piece.length;
  }
  t.equal(consumed, 4 * MIB);
});

t.test('one slow reader does not delay another', async (t) => {
  const { open } = await world(t);
  await open(numbers(4 * MIB).source);
  const quick = await open(numbers(2 * MIB).source);
  t.equal((await digest(quick.chunks())).bytes, 2 * MIB);
});

t.test('a reader that leaves returns the source', async (t) => {
  const { open, server, client } = await world(t);
  const { seen, source } = numbers(64 * MIB);
  const stream = await open(source);
  for await (const piece of stream.chunks()) if (piece.length > 0) break;
  await eventually('the source is returned', () => seen.returned, 5_000);
  await eventually('both halves are free', () => server.open === 0 && client.open === 0, 5_000);
  t.equal(stream.end?.code, 'reader-gone');
  stream.cancel();
  t.ok(seen.read < 2 * MIB);
});

t.test('an agent that stops ends its streams with agent-gone', async (t) => {
  const { open, server } = await world(t);
  const { seen, source } = numbers(64 * MIB);
  const stream = await open(source);
  await server[Symbol.asyncDispose]();
  t.ok((await digest(stream.chunks())).bytes <= WINDOW_BYTES);
  t.equal(stream.end?.code, 'agent-gone');
  await eventually('the source is returned', () => seen.returned, 5_000);
});

t.test('a source that throws ends the stream with its message', async (t) => {
  const { open } = await world(t);
  const stream = await open(async function* () {
    yield new Uint8Array(10);
    await Promise.resolve();
    throw new Error('the disk is gone');
  });
  t.equal((await digest(stream.chunks())).bytes, 10);
  t.same(stream.end, { code: 'error', message: 'the disk is gone' });
});

t.test('a missing chunk is an error, and the agent is told', async (t) => {
  const { open, server, agent } = await world(t);
  const stream = await open(numbers(64 * MIB).source);
  const subjects: string[] = [];
  agent.subscribe(toAgent(NODE, 'Stream', '>'), ({ subject }) => void subjects.push(subject));
  const reading = stream.chunks()[Symbol.asyncIterator]();
  await reading.next();
  await reading.next();
  const subject = await eventually(
    'a credit',
    async () => (await reading.next(), subjects[0]),
    5_000,
  );
  const gap = new Uint8Array([0, 0, 255, 255, 255, 1]);
  agent.publish(subject.replace('compute', 'requester'), gap);
  while ((await reading.next()).done !== true);
  t.match(stream.end, { code: 'error', message: /expected/ });
  await eventually('the agent is free', () => server.open === 0, 5_000);
});

t.test('a chunk that nobody waits for is cancelled', async (t) => {
  const { server } = await world(t);
  const { seen, source } = numbers(64 * MIB);
  server.serve(source());
  await eventually('the source is returned', () => seen.returned, 5_000);
});

t.test('a node that falls silent ends its streams for the requester', async (t) => {
  const { open, agent, clock, client } = await world(t);
  const stream = await open(numbers(4 * MIB).source);
  await agent[Symbol.asyncDispose]();
  await clock.advance(SILENCE_MS + HEARTBEAT_MS);
  await digest(stream.chunks());
  t.equal(stream.end?.code, 'agent-gone');
  t.equal(client.open, 0);
});

t.test('a requester that falls silent ends the streams of the agent', async (t) => {
  const { open, clock, client, server } = await world(t);
  const { seen, source } = numbers(4 * MIB);
  await open(source);
  await client[Symbol.asyncDispose]();
  await eventually(
    'the source is returned',
    async () => (await clock.advance(HEARTBEAT_MS), seen.returned),
    10_000,
  );
  t.equal(server.open, 0);
});
