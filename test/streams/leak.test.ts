/** Streams that were opened and closed in every way leave neither memory nor files nor timers. */
import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { eventually } from '../kit/eventually.ts';
import { natsServerSkip, startNatsServer } from '../kit/nats-server.ts';
import { digest, numbers, streamWorld, talker, type World } from './stream-world.ts';

t.setTimeout(120_000);

const ROUNDS = 200;
const AT_ONCE = 5;
const WARM_UP = 50;
const TIMES = 3;
/** A stream that is kept holds its window and more. */
const SLACK_BYTES = ((ROUNDS * AT_ONCE) / 2) * 1024;

const WAYS: readonly ((world: World) => Promise<unknown>)[] = [
  async ({ open }) => digest((await open(numbers(200_000).source)).chunks()),
  async ({ open }) => (await open(talker().source)).cancel(),
  async ({ open }) => {
    for await (const piece of (await open(numbers(2_000_000).source)).chunks())
      if (piece.length > 0) break;
  },
  async ({ open }) => {
    const leaving = new AbortController();
    const opening = open(talker().source, leaving.signal);
    leaving.abort();
    await opening.catch(() => undefined);
  },
  async ({ open }) => {
    const stream = await open(async function* () {
      yield new Uint8Array(10);
      throw new Error('the disk is gone');
    });
    await digest(stream.chunks());
  },
];

t.test(`${ROUNDS} rounds of ${AT_ONCE} streams`, { skip: natsServerSkip() }, async (t) => {
  const world = await streamWorld(t, (await startNatsServer(t)).url);
  await rounds(world, WARM_UP);
  let before = await used(world);
  // The engine's own memory grows now and then, that of a leak each time.
  const grown: number[] = [];
  while (grown.length < TIMES && !grown.some((bytes) => bytes < SLACK_BYTES)) {
    await rounds(world, ROUNDS);
    const after = await used(world);
    t.equal(after.files, before.files);
    t.equal(after.timers, 0);
    grown.push(after.heap - before.heap);
    before = after;
  }
  const least = Math.min(...grown);
  t.ok(least < SLACK_BYTES, `${Math.round(least / 1024)} KiB more, at most ${SLACK_BYTES / 1024}`);
});

async function rounds(world: World, count: number): Promise<void> {
  for (let round = 0; round < count; round += 1)
    for (let at = 0; at < AT_ONCE; at += 1) await WAYS[at]?.(world);
}

async function used({ server, client, clock, settled }: World) {
  await settled();
  await eventually('no stream to be open', () => server.open === 0 && client.open === 0);
  await clock.advance(60_000);
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') throw new Error('no garbage collection by order');
  collect();
  return {
    files: readdirSync('/proc/self/fd').length,
    heap: process.memoryUsage().heapUsed,
    timers: clock.pending,
  };
}
