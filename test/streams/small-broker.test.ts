/** A broker that takes small messages only bounds what a stream sends at once, and how many streams there are. */
import t, { type Test } from 'tap';
import { systemRandom } from '../../adapters/clock/system-random.ts';
import { startDevBroker } from '../../adapters/dev-broker/broker.ts';
import {
  decodeChunk,
  isBefore,
  numberAfter,
  writeDataHead,
} from '../../adapters/streams/frames.ts';
import type { IncomingStream } from '../../adapters/streams/port.ts';
import { BEAT_BYTES, SILENCE_MS } from '../../adapters/streams/stream-heartbeat.ts';
import { mintStreamId, ownerOf } from '../../adapters/streams/stream-id.ts';
import { eventually } from '../kit/eventually.ts';
import { digest, numbers, streamWorld, talker, type World } from './stream-world.ts';

const PAYLOAD_BYTES = 1024;

async function smallWorld(t: Test): Promise<World> {
  const limits = { maxPayloadBytes: PAYLOAD_BYTES };
  const broker = await startDevBroker({ host: '127.0.0.1', port: 0, limits });
  t.teardown(() => broker[Symbol.asyncDispose]());
  return streamWorld(t, broker.url);
}

t.test('chunks are no larger than its messages', async (t) => {
  const { open } = await smallWorld(t);
  const stream = await open(numbers(300_000).source);
  t.same(await digest(stream.chunks()), await digest(numbers(300_000).source()));
  t.same(stream.end, { code: 'finished', message: '' });
});

t.test('no more streams than one heartbeat can name, and these stay', async (t) => {
  const { open, server, clock, settled } = await smallWorld(t);
  const most = Math.floor(PAYLOAD_BYTES / BEAT_BYTES);
  const streams: IncomingStream[] = [];
  while (streams.length < most) streams.push(await open(talker().source));
  const refused = mintStreamId(ownerOf('one'), clock, systemRandom);
  t.throws(() => server.serve(refused, talker().source), {
    code: 'exhausted',
    message: `this node serves ${most} streams, which is as many as it can keep alive at this broker; try again later`,
  });
  for (let passed = 0; passed <= 2 * SILENCE_MS; passed += 1_000) {
    await clock.advance(1_000);
    await settled();
  }
  t.equal(server.open, most);
  t.ok(streams.every(({ end }) => end === undefined));
  streams[0]?.cancel();
  await eventually('there is room again', () => server.open < most, 5_000);
  await open(talker().source);
  t.equal(server.open, most);
});

t.test('the numbers of chunks go round', async (t) => {
  const last = 2 ** 32 - 1;
  t.equal(numberAfter(last), 0);
  const chunk = Buffer.alloc(9);
  writeDataHead(chunk, last);
  t.same(decodeChunk(chunk), { kind: 'data', sequence: last, bytes: Buffer.alloc(4) });
  t.ok(isBefore(last, 0), 'a chunk that came twice');
  t.notOk(isBefore(0, last), 'the next one');
  t.notOk(isBefore(7, 7));
});
