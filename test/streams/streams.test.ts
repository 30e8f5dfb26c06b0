/** Streams between an agent's and a requester's transport over a real broker (the dev broker, which is always there). */
import t from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { systemRandom } from '../../adapters/clock/system-random.ts';
import { WINDOW_BYTES } from '../../adapters/streams/frames.ts';
import { HEARTBEAT_MS, SILENCE_MS } from '../../adapters/streams/stream-heartbeat.ts';
import { mintStreamId, ownerOf } from '../../adapters/streams/stream-id.ts';
import { toAgent } from '../../wire/subjects.ts';
import { eventually } from '../kit/eventually.ts';
import { digest, MIB, NODE, numbers, streamWorld } from './stream-world.ts';

t.test('20 MB arrive exactly, the first chunks before the open answer', async (t) => {
  const { open, server, client } = await streamWorld(t);
  const size = 20_000_000;
  const stream = await open(numbers(size).source);
  t.same(await digest(stream.chunks()), await digest(numbers(size).source()));
  t.same(stream.end, { code: 'finished', message: '' });
  await eventually('both halves are free', () => server.open === 0 && client.open === 0, 5_000);
});

t.test('an empty source finishes at once', async (t) => {
  const { open } = await streamWorld(t);
  const stream = await open(numbers(0).source);
  t.equal((await digest(stream.chunks())).bytes, 0);
  t.equal(stream.end?.code, 'finished');
});

t.test('a slow reader keeps the sender within the window', async (t) => {
  const { open } = await streamWorld(t);
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
  const { open } = await streamWorld(t);
  await open(numbers(4 * MIB).source);
  const quick = await open(numbers(2 * MIB).source);
  t.equal((await digest(quick.chunks())).bytes, 2 * MIB);
});

t.test('a reader that leaves returns the source', async (t) => {
  const { open, server, client } = await streamWorld(t);
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
  const { open, server } = await streamWorld(t);
  const { seen, source } = numbers(64 * MIB);
  const stream = await open(source);
  await server[Symbol.asyncDispose]();
  t.ok((await digest(stream.chunks())).bytes <= WINDOW_BYTES);
  t.equal(stream.end?.code, 'agent-gone');
  await eventually('the source is returned', () => seen.returned, 5_000);
});

t.test('a source that throws ends the stream with its message', async (t) => {
  const { open } = await streamWorld(t);
  const stream = await open(async function* () {
    yield new Uint8Array(10);
    await Promise.resolve();
    throw new Error('the disk is gone');
  });
  t.equal((await digest(stream.chunks())).bytes, 10);
  t.same(stream.end, { code: 'error', message: 'the disk is gone' });
});

t.test('a missing chunk is an error, and the agent is told', async (t) => {
  const { open, server, agent } = await streamWorld(t);
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
  const gap = new Uint8Array([0, 0, 0, 255, 255, 1]);
  agent.publish(subject.replace('compute', 'requester'), gap);
  while ((await reading.next()).done !== true);
  t.equal(stream.end?.code, 'error');
  t.match(stream.end?.message, /^chunk 65535 came where \d+ was expected$/);
  await eventually('the agent is free', () => server.open === 0, 5_000);
});

t.test('a chunk that nobody waits for is cancelled', async (t) => {
  const { server, client } = await streamWorld(t);
  const { seen, source } = numbers(64 * MIB);
  server.serve(mintStreamId(ownerOf('one'), new FakeClock(), systemRandom), source);
  t.equal(client.open, 0);
  await eventually('the source is returned', () => seen.returned, 5_000);
});

t.test('a node that falls silent ends its streams for the requester', async (t) => {
  const { open, agent, clock, client } = await streamWorld(t);
  const stream = await open(numbers(4 * MIB).source);
  await agent[Symbol.asyncDispose]();
  await clock.advance(SILENCE_MS);
  await digest(stream.chunks());
  t.equal(stream.end?.code, 'agent-gone');
  t.equal(client.open, 0);
});

t.test('a requester that falls silent ends the streams of the agent', async (t) => {
  const { open, clock, client, server } = await streamWorld(t);
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
