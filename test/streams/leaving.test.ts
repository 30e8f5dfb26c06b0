/** Either side may go at any moment, also while a stream is being opened: nothing is left of it. */
import t from 'tap';
import {
  ANSWER_TIMEOUT_MS,
  HEARTBEAT_MS,
  MISSES,
  SILENCE_MS,
} from '../../adapters/streams/stream-heartbeat.ts';
import { createStreamServer } from '../../adapters/streams/stream-server.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { StreamClosed } from '../../adapters/streams/port.ts';
import { toAgent, toRequester } from '../../wire/subjects.ts';
import { eventually } from '../kit/eventually.ts';
import { digest, MIB, NODE, numbers, streamWorld, talker, textOf } from './stream-world.ts';

t.test('a source that waits for its next word is returned when its reader leaves', async (t) => {
  const { open, server } = await streamWorld(t);
  const { source, seen } = talker();
  const stream = await open(source);
  stream.cancel();
  await eventually('the source is returned', () => seen.returned, 5_000);
  await eventually('the agent is free', () => server.open === 0, 5_000);
});

t.test('a stream whose source does not return is shown as open', async (t) => {
  const { open, server, settled } = await streamWorld(t);
  let free: () => void = () => undefined;
  const stream = await open(async function* () {
    await new Promise<void>((resolve) => (free = resolve));
    yield new Uint8Array(1);
  });
  stream.cancel();
  await settled();
  t.equal(server.open, 1);
  free();
  await eventually('the agent is free', () => server.open === 0, 5_000);
});

t.test('a reader that leaves before its stream is open leaves nothing', async (t) => {
  const { open, server, client } = await streamWorld(t);
  const { source, seen } = talker();
  const leaving = new AbortController();
  const opening = open(source, leaving.signal);
  leaving.abort();
  await t.rejects(opening, { code: 'cancelled' });
  t.equal(client.open, 0);
  await eventually('the source is returned', () => seen.returned, 5_000);
  await eventually('the agent is free', () => server.open === 0, 5_000);
  await t.rejects(open(source, leaving.signal), { code: 'cancelled' });
});

t.test('a reader that leaves before its first chunk leaves nothing', async (t) => {
  const { open, server, client } = await streamWorld(t);
  const stream = await open(talker().source);
  await stream.chunks()[Symbol.asyncIterator]().return?.();
  t.equal(client.open, 0);
  await eventually('the agent is free', () => server.open === 0, 5_000);
});

t.test('a stream that is opened after its request has timed out is closed again', async (t) => {
  const { client, server, clock, agent, settled } = await streamWorld(t);
  const { source, seen } = talker();
  agent.subscribe(toAgent(NODE, 'ExecutionResult'), async ({ payload }) => {
    await clock.sleep(1_000);
    server.serve(JSON.parse(Buffer.from(payload).toString()).StreamId, source);
    return undefined;
  });
  const opening = client.request({
    ...{ node: NODE, method: 'ExecutionResult', request: {} },
    timeoutMs: 100,
  });
  await t.rejects(opening, { code: 'timeout' });
  t.equal(client.open, 0);
  await settled();
  await clock.advance(1_000);
  t.equal(server.open, 1, 'its cancel came too early');
  await eventually(
    'the source is returned',
    async () => (await clock.advance(HEARTBEAT_MS), seen.returned),
    10_000,
  );
});

t.test('a requester that stops while a stream is being opened leaves nothing', async (t) => {
  const { open, client, server, clock } = await streamWorld(t);
  const { source, seen } = talker();
  const opening = open(source);
  await client[Symbol.asyncDispose]();
  await t.rejects(opening, { code: 'unavailable' });
  t.equal(client.open, 0);
  await eventually('the source is returned', () => seen.returned, 5_000);
  t.equal(server.open, 0);
  await clock.advance(HEARTBEAT_MS);
  t.equal(clock.pending, 0, 'no timer is left');
});

t.test('a new life of the agent ends the streams of the one before at once', async (t) => {
  const { open, agent, clock, requester } = await streamWorld(t);
  // As of a process that was killed: it says nothing any more.
  agent.loses = () => true;
  const stream = await open(talker().source);
  const transport = requester;
  const server = createStreamServer({ transport, nodeId: NODE, clock, log: silentLog });
  t.teardown(() => server[Symbol.asyncDispose]());
  t.equal(await textOf(stream), '');
  t.equal(stream.end?.code, 'agent-gone');
});

t.test('each requester cares for its own streams alone', async (t) => {
  const { open, another, clock, settled, server, client } = await streamWorld(t);
  const other = await another('two');
  const { source, say, seen } = talker();
  const stream = await open(source);
  const reading = textOf(stream);
  for (let beat = 0; beat < MISSES + 1; beat += 1) {
    say(`${beat}\n`);
    await settled();
    await clock.advance(HEARTBEAT_MS);
    await settled();
  }
  t.equal(client.open, 1);
  t.equal(other.open, 0);
  t.equal(seen.returned, false);
  await server[Symbol.asyncDispose]();
  t.equal(await reading, '0\n1\n2\n3\n');
});

t.test('a requester that answers late is given up after three heartbeats, 18 s', async (t) => {
  const { open, agent, requester, clock, server } = await streamWorld(t);
  const { source, seen } = talker();
  await open(source);
  requester.loses = () => true;
  agent.request = async () => {
    await clock.sleep(ANSWER_TIMEOUT_MS);
    throw new Error('no answer');
  };
  await clock.advance(SILENCE_MS - 1);
  t.equal(seen.returned, false);
  await clock.advance(1);
  await eventually('the source is returned', () => seen.returned, 5_000);
  t.equal(server.open, 0);
});

t.test('misses of an older stream are not charged to a newer one', async (t) => {
  const { open, agent, clock, server } = await streamWorld(t);
  agent.request = () => Promise.reject(new Error('no answer'));
  const older = talker();
  await open(older.source);
  await clock.advance((MISSES - 1) * HEARTBEAT_MS);
  const newer = talker();
  await open(newer.source);
  await clock.advance(HEARTBEAT_MS);
  await eventually('the older one is given up', () => older.seen.returned, 5_000);
  t.equal(newer.seen.returned, false);
  t.equal(server.open, 1);
});

t.test('a list that is older than a stream does not end it', async (t) => {
  const { open, agent, client, clock, settled } = await streamWorld(t);
  const { source, say } = talker();
  const stream = await open(source);
  const owner = /^[0-9a-f]{8}/;
  const beats: string[] = [];
  agent.subscribe(toRequester('*', 'StreamHeartbeat'), ({ payload }) => {
    beats.push(Buffer.from(payload).toString());
    return undefined;
  });
  await clock.advance(HEARTBEAT_MS);
  const beat = JSON.parse(await eventually('a heartbeat', () => beats[0], 5_000));
  t.match(beat.owner, owner);
  const second = await open(talker().source);
  agent.publish(toRequester(NODE, 'StreamHeartbeat'), Buffer.from(beats[0] ?? ''));
  await settled();
  t.equal(client.open, 2);
  say('end');
  second.cancel();
  stream.cancel();
});

t.test('a source ends its stream with a code of its own', async (t) => {
  const { open } = await streamWorld(t);
  const end = { code: 'retention', message: 'the log is no longer kept' } as const;
  const stream = await open(async function* () {
    yield new Uint8Array(10);
    await Promise.resolve();
    throw new StreamClosed(end);
  });
  t.equal((await digest(stream.chunks())).bytes, 10);
  t.strictSame(stream.end, end);
});

t.test('an agent that stops opens nothing more', async (t) => {
  const { server, clock } = await streamWorld(t);
  await server[Symbol.asyncDispose]();
  t.throws(() => server.serve('x', numbers(MIB).source), { code: 'unavailable' });
  t.equal(server.open, 0);
  t.equal(clock.pending, 0);
});

t.test('an id that is in use opens nothing', async (t) => {
  const { server } = await streamWorld(t);
  const { source, seen } = talker();
  server.serve('x', source);
  t.throws(() => server.serve('x', numbers(MIB).source), { code: 'conflict' });
  t.equal(server.open, 1);
  t.equal(seen.returned, false);
});
