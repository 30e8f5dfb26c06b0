/** What the broker may lose, or bring twice, leaves no half of a stream waiting. */
import t from 'tap';
import { CHUNK_BYTES, WINDOW_BYTES } from '../../adapters/streams/frames.ts';
import { HEARTBEAT_MS, SILENCE_MS } from '../../adapters/streams/stream-heartbeat.ts';
import { eventually } from '../kit/eventually.ts';
import { digest, MIB, numbers, streamWorld, talker, textOf } from './stream-world.ts';

t.test('credits that are lost are made good by the heartbeat', async (t) => {
  const { open, requester, clock } = await streamWorld(t);
  requester.loses = () => true;
  const stream = await open(numbers(MIB, CHUNK_BYTES).source);
  const reading = stream.chunks()[Symbol.asyncIterator]();
  for (let got = 0; got < WINDOW_BYTES;) {
    const next = await reading.next();
    got += next.done === true ? WINDOW_BYTES : next.value.length;
  }
  let more = false;
  void reading.next().then(({ done }) => (more = done !== true));
  await eventually('the next chunk', async () => (await clock.advance(HEARTBEAT_MS), more), 10_000);
});

t.test('the last chunk before a long silence is missed at the second heartbeat', async (t) => {
  const { open, agent, clock, settled } = await streamWorld(t);
  const { source, say, seen } = talker();
  const stream = await open(source);
  const reading = textOf(stream);
  say('one\n');
  await settled();
  agent.loses = ({ payload }) => Buffer.from(payload).includes('two');
  say('two\n');
  await settled();
  for (let beat = 0; beat < 2; beat += 1) {
    await clock.advance(HEARTBEAT_MS);
    await settled();
  }
  t.equal(await reading, 'one\n');
  t.strictSame(stream.end, { code: 'error', message: 'chunk 1 was lost on its way' });
  await eventually('the source is returned', () => seen.returned, 5_000);
});

t.test(
  'a lost end is known at the next heartbeat, and without one after the silence',
  async (t) => {
    const { open, agent, clock, settled, client } = await streamWorld(t);
    const beside = talker();
    const held = await open(beside.source);
    agent.loses = ({ payload }) => payload[0] === 1;
    const one = await open(numbers(10).source);
    await clock.advance(HEARTBEAT_MS);
    await settled();
    t.equal((await digest(one.chunks())).bytes, 10);
    t.strictSame(one.end, { code: 'error', message: 'the node has let go of the stream' });
    t.equal(client.open, 1, 'the other goes on');
    held.cancel();
    const last = await open(numbers(10).source);
    await settled();
    await clock.advance(SILENCE_MS);
    t.equal((await digest(last.chunks())).bytes, 10);
    t.equal(last.end?.code, 'agent-gone');
    t.equal(client.open, 0);
  },
);

t.test('a lost cancel is made good by the heartbeat', async (t) => {
  const { open, requester, server, clock } = await streamWorld(t);
  const { source, seen } = talker();
  const stream = await open(source);
  requester.loses = () => true;
  stream.cancel();
  t.equal(server.open, 1);
  await eventually(
    'the source is returned',
    async () => (await clock.advance(HEARTBEAT_MS), seen.returned),
    10_000,
  );
  t.equal(server.open, 0);
});

t.test('chunks that come twice are taken once', async (t) => {
  const { open, agent } = await streamWorld(t);
  agent.loses = ({ subject, payload }) => {
    agent.loses = () => false;
    agent.publish(subject, payload);
    return false;
  };
  const stream = await open(numbers(MIB).source);
  t.strictSame(await digest(stream.chunks()), await digest(numbers(MIB).source()));
});

t.test('a connection that breaks while a credit is sent throws at no reader', async (t) => {
  const { open, requester, client } = await streamWorld(t);
  const leaving = new AbortController();
  const stream = await open(numbers(4 * MIB, CHUNK_BYTES).source, leaving.signal);
  requester.loses = () => {
    throw new Error('the connection is closed');
  };
  const reading = stream.chunks()[Symbol.asyncIterator]();
  for (let got = 0; got < WINDOW_BYTES;) {
    const next = await reading.next();
    got += next.done === true ? WINDOW_BYTES : next.value.length;
  }
  leaving.abort();
  t.strictSame(await reading.next(), { done: true, value: undefined });
  t.equal(client.open, 0);
});
