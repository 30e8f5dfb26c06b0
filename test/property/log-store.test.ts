/** `LIMPET_SEED=<seed>` plays a failing batch again. */
import fc from 'fast-check';
import { join } from 'node:path';
import t from 'tap';
import { encodeFrame } from '../../plugins/sdk/log-frame.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { LogWorld } from './log-world.ts';

const RUNS = 200;
t.setTimeout(120_000);
const DAY_S = 86_400;
const seed = Number(process.env['LIMPET_SEED'] ?? Math.floor(Date.now() / 1000) % DAY_S);

/** What is printed may look like what is stored. */
const forged = (offset: number) =>
  encodeFrame(
    { kind: 'stdout', run: 0, timeMs: 1, offset, cursor: '7', data: Buffer.from('forged\n') },
    12_345,
  );

const part = fc.integer({ min: 0, max: 999 }).map((thousandths) => thousandths / 1000);
const output = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 200 }) },
  { weight: 2, arbitrary: fc.constantFrom(Buffer.from('a line\n'), Buffer.from('LLF2 no end')) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 3000 }).map(forged) },
);
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('print' as const),
      stream: fc.constantFrom('stdout' as const, 'stderr' as const, 'gap' as const),
      bytes: output,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('pump' as const),
      chunks: fc.integer({ min: 1, max: 12 }),
      mostBytes: fc.integer({ min: 1, max: 150 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('crash' as const),
      at: fc.oneof(part, fc.constant(1)),
      garbage: fc.oneof(fc.constant(Buffer.alloc(0)), fc.uint8Array({ maxLength: 90 })),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'end' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'reopen' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('damage' as const), which: part, where: part }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('lose' as const), which: part }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('read' as const), from: part }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('tail' as const),
      lines: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ type: 'resume' as const }) },
);

async function take(world: LogWorld, s: typeof step extends fc.Arbitrary<infer S> ? S : never) {
  if (s.type === 'print') world.print(s.stream, s.bytes);
  else if (s.type === 'pump') world.pump(s.chunks, s.mostBytes);
  else if (s.type === 'crash') await world.crash(s.at, s.garbage);
  else if (s.type === 'end') world.end();
  else if (s.type === 'reopen') await world.reopen();
  else if (s.type === 'damage') world.damage(s.which, s.where);
  else if (s.type === 'lose') world.lose(s.which);
  else if (s.type === 'read') await world.read(s.from);
  else if (s.type === 'tail') await world.readTail(s.lines);
  else await world.resume();
}

t.test(
  'whatever is cut, torn, damaged or lost, readers get exactly the bytes written, and holes with true numbers',
  async (t) => {
    t.comment(`LIMPET_SEED=${seed}`);
    const folder = tempDir(t);
    const seen = { rotated: 0, damaged: 0, torn: 0, holes: 0 };
    let count = 0;
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 90, size: 'max' }),
      async (steps) => {
        const world = await LogWorld.open(join(folder, String(++count)));
        try {
          for (const s of steps) await take(world, s);
          world.end();
          await world.resume();
          await world.read(0);
        } finally {
          world.close();
        }
        for (const name of ['rotated', 'damaged', 'torn', 'holes'] as const)
          seen[name] += world.seen[name];
      },
    );
    await fc.assert(property, { numRuns: RUNS, seed });
    for (const [what, times] of Object.entries(seen)) t.ok(times > RUNS / 4, `${what}: ${times}`);
  },
);
