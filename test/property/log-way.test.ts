/** `LIMPET_SEED=<seed>` plays a failing batch again. */
import fc from 'fast-check';
import { join } from 'node:path';
import t from 'tap';
import type { MemoryTransport } from '../kit/memory-broker.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { LogWay } from './log-way-world.ts';

const RUNS = 60;
t.setTimeout(240_000);
const DAY_S = 86_400;
const seed = Number(process.env['LIMPET_SEED'] ?? Math.floor(Date.now() / 1000) % DAY_S);

const side = fc.constantFrom('agent' as const, 'requester' as const);
const who = fc.nat(5);
const of = <T extends string>(...types: readonly T[]) => fc.constantFrom(...types);

const step = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      type: of('print'),
      stream: fc.constantFrom('stdout' as const, 'stdout' as const, 'stderr' as const),
      bytes: fc.integer({ min: 1, max: 40_000 }),
      chunks: fc.integer({ min: 0, max: 30 }),
      mostBytes: fc.constantFrom(80, 3_000, 65_536),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: of('gap'), bytes: fc.integer({ min: 1, max: 200 }) }) },
  { weight: 6, arbitrary: fc.record({ type: of('pass'), ms: fc.constantFrom(0, 0, 300, 8_000) }) },
  { weight: 2, arbitrary: fc.record({ type: of('kill plugin'), torn: fc.nat(9_000) }) },
  { weight: 2, arbitrary: fc.record({ type: of('kill agent', 'restart requester') }) },
  { weight: 4, arbitrary: fc.record({ type: of('start plugin', 'start agent') }) },
  { weight: 4, arbitrary: fc.record({ type: of('cut', 'mend', 'mend'), side }) },
  { weight: 2, arbitrary: fc.record({ type: of('deafen'), side }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: of('lose'), side, count: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 2, arbitrary: fc.record({ type: of('join'), part: fc.integer({ min: 0, max: 110 }) }) },
  { weight: 3, arbitrary: fc.record({ type: of('stall', 'go on', 'leave'), who }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const HAPPENS: Readonly<Record<string, (way: LogWay) => void | Promise<void>>> = {
  'start plugin': (way) => way.startPlugin(),
  'kill agent': (way) => way.killAgent(),
  'start agent': (way) => way.startAgent(),
  'restart requester': (way) => way.restartRequester(),
};

async function take(way: LogWay, one: Step): Promise<void> {
  await HAPPENS[one.type]?.(way);
  if (one.type === 'print') {
    way.printed.print(one.stream, one.bytes);
    way.pump(one.chunks, one.mostBytes);
  } else if (one.type === 'gap') way.printed.print('gap', one.bytes);
  else if (one.type === 'pass') await way.pass(one.ms);
  else if (one.type === 'kill plugin') way.killPlugin(one.torn);
  else if (one.type === 'join') way.join(Math.floor((way.printed.end * one.part) / 100));
  else if ('side' in one) disturb(way.end(one.side), one);
  else if ('who' in one) {
    const reader = way.readers[one.who];
    if (one.type === 'leave') reader?.leave();
    else reader?.stall(one.type === 'stall');
  }
}

function disturb(
  end: MemoryTransport | undefined,
  one: Extract<Step, { readonly side: unknown }>,
): void {
  if (end === undefined) return;
  if (one.type === 'lose') end.loses = one.count;
  else if (one.type === 'deafen') end.deaf = true;
  else {
    end.deaf &&= one.type === 'cut';
    end.connection(one.type === 'mend');
  }
}

t.test(
  'over all hops, whatever dies, is cut, lost or rotated: readers get exactly the bytes printed, and are told of a cut',
  async (t) => {
    t.comment(`LIMPET_SEED=${seed}`);
    const folder = tempDir(t);
    const seen = { rotated: 0, torn: 0, cut: 0, resumed: 0 };
    let count = 0;
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }),
      async (steps) => {
        const way = await LogWay.open(join(folder, String((count += 1))));
        try {
          way.join(0);
          for (const one of steps) await take(way, one);
          await way.finish();
          const faults = way.faults();
          if (faults !== '') throw new Error(faults);
          const { agent, requester } = way.streams;
          if (agent + requester > 0)
            throw new Error(`the agent holds ${agent} streams, the requester ${requester}`);
        } finally {
          await way.close();
        }
        for (const name of ['rotated', 'torn', 'cut', 'resumed'] as const)
          seen[name] += way.seen[name];
      },
    );
    // The disk answers when it likes, so that a pattern that is a little shorter may be another one altogether.
    await fc.assert(property, { numRuns: RUNS, seed, endOnFailure: true });
    for (const [what, times] of Object.entries(seen)) t.ok(times > RUNS / 4, `${what}: ${times}`);
  },
);
