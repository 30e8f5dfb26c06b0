/** Many follow one execution: one stream from its node, and each gets every byte once. */
import fc from 'fast-check';
import t from 'tap';
import { Stage } from './scripted-followers.ts';

const parts = (most: number): fc.Arbitrary<number> =>
  fc.integer({ min: 0, max: most }).map((percent) => percent / 100);

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('print' as const),
      bytes: fc.integer({ min: 1, max: 3_000 }),
      times: fc.integer({ min: 1, max: 12 }),
      kind: fc.constantFrom('stdout', 'stdout', 'stderr', 'gap'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('join' as const),
      /** Part of what was printed; above 1 the beginning. */
      at: parts(150),
      by: fc.constantFrom('offset', 'offset', 'time'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('leave' as const), who: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('stall' as const), who: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('resume' as const), who: fc.nat(20) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('break' as const),
      code: fc.constantFrom('error', 'agent-gone'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('away' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('back' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('cut' as const),
      part: parts(100),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('pass' as const),
      ms: fc.constantFrom(0, 0, 150, 6_000),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

async function play(stage: Stage, one: Step): Promise<void> {
  const { node, followers } = stage;
  switch (one.type) {
    case 'print':
      for (let time = 0; time < one.times; time += 1) stage.print(one.bytes, one.kind);
      return;
    case 'join':
      if (one.by === 'offset')
        stage.join({ fromOffset: one.at > 1 ? 0 : Math.floor(one.at * node.end) });
      else
        stage.join({ sinceMs: 1_001 + Math.floor(Math.min(1, one.at) * (stage.timeMs - 1_000)) });
      return;
    case 'leave':
      return followers[one.who]?.leave();
    case 'stall': {
      const follower = followers[one.who];
      if (follower !== undefined) follower.stalled = true;
      return;
    }
    case 'resume':
      return followers[one.who]?.resume();
    case 'break':
      return node.breakStreams({ code: one.code, message: 'broken' });
    case 'away':
      node.away = true;
      return node.breakStreams({ code: 'agent-gone', message: 'silent' });
    case 'back':
      node.away = false;
      return;
    case 'cut':
      return node.cutBefore(Math.floor(one.part * node.end));
    case 'pass':
      return stage.settle(one.ms);
  }
}

t.test(
  'whoever stays gets exactly the bytes from where they began, whatever happens to the others, to the node and to the log',
  async (t) => {
    const seed = process.env['LIMPET_SEED'];
    const property = fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 6 }),
      async (steps, chunkFrames) => {
        const stage = new Stage();
        stage.node.chunkFrames = () => chunkFrames;
        stage.join({ fromOffset: 0 });
        for (const one of steps) await play(stage, one);
        await stage.finish();
        const faults = stage.followers.map((one) => stage.fault(one)).filter((text) => text !== '');
        if (faults.length > 0) throw new Error(faults.join('; '));
        if (stage.node.streams > 0) throw new Error(`${stage.node.streams} streams are left`);
      },
    );
    await fc.assert(property, {
      numRuns: 150,
      ...(seed === undefined ? {} : { seed: Number(seed) }),
    });
    t.pass();
  },
);

t.test('a hundred who begin before it prints share one stream of the node', async (t) => {
  const stage = new Stage();
  for (let count = 0; count < 100; count += 1) stage.join({});
  await stage.settle();
  t.equal(stage.node.streams, 1);
  for (let count = 0; count < 50; count += 1) {
    stage.print(1_000);
    await stage.settle();
  }
  t.equal(stage.node.wishes.length, 1, 'nobody ever asked for another');
  await stage.finish();
  t.strictSame([...new Set(stage.followers.map((one) => stage.fault(one)))], ['']);
  t.equal(stage.followers.length, 100);
});

t.test('the last to leave lets go of the node at once, also while it is being asked', async (t) => {
  const stage = new Stage();
  const [one, other] = [stage.join({}), stage.join({})];
  await stage.settle();
  one.leave();
  await stage.settle();
  t.equal(stage.node.streams, 1, 'somebody still reads');
  other.leave();
  await stage.settle();
  t.equal(stage.node.streams, 0);
  stage.join({}).leave();
  await stage.settle();
  t.equal(stage.node.streams, 0);
});

t.test(
  'a reader that takes nothing delays nobody, and catches up with a stream of its own',
  async (t) => {
    const stage = new Stage();
    const [quick, slow] = [stage.join({}), stage.join({})];
    slow.stalled = true;
    for (let count = 0; count < 200; count += 1) {
      stage.print(1_000);
      await stage.settle();
    }
    t.equal(quick.bytes, 200_000);
    t.ok(slow.bytes < 20_000, `${slow.bytes} bytes were taken`);
    t.equal(stage.node.streams, 1);
    slow.resume();
    await stage.settle();
    t.equal(slow.bytes, 200_000);
    t.equal(stage.node.wishes.length, 2);
    t.equal(stage.node.streams, 1, 'it has joined the others again');
    await stage.finish();
    t.strictSame([stage.fault(quick), stage.fault(slow)], ['', '']);
  },
);

t.test('with slow readers alone the node is read no further than the ring', async (t) => {
  const stage = new Stage();
  const slow = stage.join({});
  slow.stalled = true;
  for (let count = 0; count < 200; count += 1) stage.print(1_000);
  await stage.settle();
  t.ok(stage.node.sent < 64_000, `${stage.node.sent} bytes were read`);
  await stage.finish();
  t.equal(stage.fault(slow), '');
});

t.test('a reader of the last lines begins with them, and then shares the stream', async (t) => {
  const stage = new Stage();
  const all = stage.join({});
  stage.print(5_000);
  await stage.settle();
  const last = stage.join({ tail: 2 });
  const none = stage.join({ tail: 0 });
  await stage.settle();
  t.equal(none.bytes, 0);
  t.ok(last.bytes > 0 && last.bytes < 5_000, `${last.bytes} bytes`);
  stage.print(100);
  await stage.settle();
  t.equal(stage.node.streams, 1);
  t.equal(none.bytes, 100);
  await stage.finish();
  t.equal(stage.fault(all), '');
});

t.test('readers are told when a node goes away, and where it goes on', async (t) => {
  const stage = new Stage();
  const first = stage.join({});
  stage.print(10);
  await stage.settle();
  stage.node.away = true;
  stage.node.breakStreams({ code: 'agent-gone', message: 'node n-1 is silent' });
  await stage.settle(30_000);
  const [late, atEnd] = [stage.join({}), stage.join({ fromOffset: 10 })];
  await stage.settle();
  stage.node.away = false;
  await stage.settle(12_000);
  const [away] = first.words;
  t.match(away, /^node \S+ is away; waiting$/);
  t.match(first.words[1], /^node \S+ is back; going on at byte 10$/);
  t.equal(first.words.length, 2, 'one line for each');
  for (const one of [late, atEnd])
    t.strictSame(one.words, first.words, 'who comes meanwhile is told, too');
  stage.node.breakStreams({ code: 'error', message: 'the stream was cut' });
  await stage.settle(6_000);
  t.equal(first.words.length, 2, 'what mends at once is not worth a word');
  await stage.finish();
  t.strictSame([stage.fault(first), stage.fault(late)], ['', '']);
});

t.test('a node that told of the end and is silent then is waited for', async (t) => {
  const stage = new Stage();
  const first = stage.join({});
  await stage.settle();
  stage.node.away = true;
  stage.node.complete();
  stage.node.breakStreams({ code: 'agent-gone', message: 'node n-1 is silent' });
  await stage.settle(20_000);
  t.equal(first.isOver, false, 'the record of the requester is no answer yet');
  await stage.finish();
  t.equal(stage.fault(first), '');
});
