/** The logs of several executions as one, in the order of their times. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import type { LogOutput } from '../../requester/logs/log-items.ts';
import type { LogLane } from '../../requester/logs/log-join.ts';
import { TimeOrder } from '../../requester/logs/time-order.ts';
import type { LogFrameKind } from '../../wire/log-frames.ts';

const PATIENCE_MS = 2_000;

function piece(timeMs: number, index = 1, kind: LogFrameKind = 'stdout'): LogOutput {
  const data = Buffer.from(`${index}@${timeMs}`);
  return { type: 'frame', index, frame: { kind, source: 0, timeMs, offset: 0, data } };
}

const notice: LogOutput = { type: 'notice', index: 1, text: 'away' };

function joining(): Joining {
  const clock = new FakeClock();
  const leaving = new AbortController();
  const join = new TimeOrder(clock, leaving.signal);
  const shown: string[] = [];
  const ended = (async () => {
    for await (const batch of join) shown.push(...batch.map(textOf));
  })();
  return { clock, leaving, join, shown, ended, settle: () => clock.advance(0) };
}

interface Joining {
  readonly clock: FakeClock;
  readonly leaving: AbortController;
  readonly join: TimeOrder;
  /** What was passed on. */
  readonly shown: string[];
  readonly ended: Promise<void>;
  readonly settle: () => Promise<void>;
}

function textOf(output: LogOutput): string {
  if (output.type === 'notice') return output.text;
  return output.type === 'frame' ? Buffer.from(output.frame.data).toString() : output.type;
}

t.test('a piece is held until all others have shown what they bring next', async (t) => {
  const { join, shown, settle, ended } = joining();
  const [one, two] = [join.enter(), join.enter()];
  void one.push([piece(1, 1), piece(3, 1)]);
  await settle();
  t.same(shown, [], 'two may have been earlier');
  void two.push([piece(2, 2), piece(4, 2)]);
  await settle();
  t.same(shown, ['1@1', '2@2', '1@3'], 'one may go on before the 4');
  one.leave();
  await settle();
  t.same(shown, ['1@1', '2@2', '1@3', '2@4']);
  two.leave();
  join.close();
  await ended;
});

t.test('what one has written stays in its order, whatever its clock did', async (t) => {
  const { join, shown, ended } = joining();
  const [one, two] = [join.enter(), join.enter()];
  void one.push([piece(5, 1), piece(1, 1)]);
  void two.push([piece(4, 2), piece(6, 2)]);
  for (const lane of [one, two]) lane.leave();
  join.close();
  await ended;
  t.same(shown, ['2@4', '1@5', '1@1', '2@6']);
});

t.test('words wait for nobody, and nobody for the end of a silence', async (t) => {
  const { clock, join, shown, settle, leaving, ended } = joining();
  const [one, two, silent] = [join.enter(), join.enter(), join.enter()];
  void one.push([piece(9, 1, 'cut'), piece(1, 1)]);
  void two.push([notice]);
  await settle();
  t.same(shown, ['1@9', 'away'], 'the time of a cut is not that of what follows it');
  two.leave();
  await clock.advance(PATIENCE_MS - 1);
  t.equal(shown.length, 2);
  await clock.advance(1);
  t.same(shown.slice(2), ['1@1']);
  void one.push([piece(5, 1)]);
  await settle();
  t.same(shown.slice(3), ['1@5'], 'once is enough');
  void silent.push([piece(2, 3), piece(7, 3)]);
  await settle();
  t.same(shown.slice(4), [], 'one may be earlier than the 2');
  void one.push([piece(8, 1)]);
  await settle();
  t.same(shown.slice(4), ['3@2', '3@7'], 'late; and it is waited for again');
  leaving.abort();
  await ended;
  t.equal(clock.pending, 0);
});

t.test(
  'a lane goes on when all that it brought is taken, and when the reader leaves',
  async (t) => {
    const { join, settle, leaving, ended } = joining();
    const [one, two] = [join.enter(), join.enter()];
    const taken: string[] = [];
    const pushing = (lane: LogLane, name: string, ...batch: LogOutput[]): Promise<unknown> =>
      lane.push(batch).then(() => taken.push(name));
    void pushing(one, 'one', piece(1), piece(3));
    const other = pushing(two, 'two', piece(2, 2), piece(4, 2));
    await settle();
    t.same(taken, ['one'], 'the 4 of two is still here');
    leaving.abort();
    await Promise.all([other, ended]);
    await one.push([piece(9)]);
    t.same(taken, ['one', 'two']);
  },
);

t.test('whatever comes when, all of it is passed on in the order of its times', async (t) => {
  const batches = fc.array(fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }), { maxLength: 6 });
  /** Of each execution: the steps between its times, by batch; and the turns of the loop before each batch. */
  const pattern = fc.record({
    executions: fc.array(batches, { minLength: 1, maxLength: 4 }),
    turns: fc.array(fc.nat(3), { minLength: 1, maxLength: 9 }),
  });
  const property = fc.asyncProperty(pattern, async ({ executions, turns }) => {
    const { join, shown, settle, ended } = joining();
    const written = executions.map((steps, at) => piecesOf(steps, at + 1));
    const lanes = written.map((own) => ({ own, lane: join.enter() }));
    let turn = 0;
    await Promise.all(
      lanes.map(async ({ own, lane }) => {
        for (const batch of own) {
          for (let left = turns[turn++ % turns.length] ?? 0; left > 0; left--) await settle();
          await lane.push(batch);
        }
        lane.leave();
      }),
    );
    join.close();
    await ended;
    const times = shown.map((text) => Number(text.split('@')[1]));
    const sorted = [...times].sort((a, b) => a - b);
    assert.deepEqual(times, sorted);
    for (const [at, own] of written.entries()) {
      const ofIt = shown.filter((text) => text.startsWith(`${at + 1}@`));
      assert.deepEqual(ofIt, own.flat().map(textOf));
    }
  });
  await t.resolves(fc.assert(property, { numRuns: 300 }));
});

function piecesOf(steps: readonly (readonly number[])[], index: number): LogOutput[][] {
  let timeMs = 0;
  return steps.map((batch) => batch.map((step) => piece((timeMs += step), index)));
}
