/** What a node tells of its preparations: seldom, little, and again when it may have been lost. */
import t from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { ProgressTeller } from '../../agent/link/progress-teller.ts';
import { LimpetError } from '../../core/errors.ts';
import { parseNodeId } from '../../core/ids.ts';
import type { LiveProgress } from '../../core/live-progress.ts';
import { executionProgressSchema, MOST_PROGRESS_BYTES } from '../../wire/execution-progress.ts';

const SUBJECT = 'node.requester.n-test.ExecutionProgress/v1';

function progress(doneBytes: number, item = 'a:1'): LiveProgress {
  return { kind: 'image', item, doneBytes };
}

function bench() {
  const clock = new FakeClock();
  const state = { session: 's-1', up: true, maxPayload: 1_000_000 };
  const sent: Buffer[] = [];
  const transport = {
    get maxPayload() {
      return state.maxPayload;
    },
    publish(subject: string, payload: Uint8Array) {
      t.equal(subject, SUBJECT);
      if (!state.up) throw new LimpetError('unavailable', 'no broker');
      sent.push(Buffer.from(payload));
    },
  };
  const nodeId = parseNodeId('n-test');
  const teller = new ProgressTeller({
    ...{ transport, clock, nodeId },
    session: () => state.session,
    lasts: () => undefined,
  });
  /** `EXECUTION BYTES` of each message since the last call. */
  const messages = (): string[][] =>
    sent.splice(0).map((payload) => {
      t.ok(payload.length <= MOST_PROGRESS_BYTES, `${payload.length} bytes`);
      const told = executionProgressSchema.parse(JSON.parse(payload.toString()));
      t.equal(told.session, state.session);
      return told.executions.map((one) => `${one.executionId} ${one.progress.doneBytes}`);
    });
  return { clock, state, teller, messages };
}

t.test('one message a second, of what has changed, as it is then', async (t) => {
  const { clock, teller, messages } = bench();
  for (let bytes = 0; bytes < 100; bytes++) {
    teller.changed('e-1', progress(bytes));
    teller.changed('e-2', progress(1));
    await clock.advance(50);
  }
  const told = messages();
  t.strictSame(told[0], ['e-1 4', 'e-2 1']);
  t.equal(told.length, 5, 'after a quarter of a second, then each second');
  t.strictSame(told[1], ['e-1 24', 'e-2 1']);
});

t.test('what is there within a moment is never told of, and no timer is left', async (t) => {
  const { clock, teller, messages } = bench();
  for (let n = 0; n < 1000; n++) {
    teller.changed(`e-${n}`, progress(1));
    teller.over(`e-${n}`);
  }
  await clock.advance(60_000);
  t.strictSame(messages(), []);
  t.equal(clock.pending, 0);
});

t.test('two short ones are told of a second apart, too', async (t) => {
  const { clock, teller, messages } = bench();
  teller.changed('e-1', progress(1));
  await clock.advance(250);
  teller.over('e-1');
  teller.changed('e-2', progress(2));
  await clock.advance(999);
  t.strictSame(messages(), [['e-1 1']]);
  await clock.advance(1);
  t.strictSame(messages(), [['e-2 2']]);
});

t.test('what stands still is told again after ten seconds', async (t) => {
  const { clock, teller, messages } = bench();
  teller.changed('e-1', progress(7));
  await clock.advance(250);
  t.strictSame(messages(), [['e-1 7']]);
  await clock.advance(9_999);
  t.strictSame(messages(), []);
  await clock.advance(1);
  t.strictSame(messages(), [['e-1 7']]);
});

t.test('nothing is lost by a link or a broker that is away', async (t) => {
  const { clock, state, teller, messages } = bench();
  state.session = '';
  teller.changed('e-1', progress(1));
  await clock.advance(5_000);
  state.session = 's-2';
  state.up = false;
  await clock.advance(5_000);
  t.strictSame(messages(), []);
  state.up = true;
  await clock.advance(1_000);
  t.strictSame(messages(), [['e-1 1']]);
});

t.test('many are told of in turn, in messages of 32 KiB or what the broker takes', async (t) => {
  for (const most of [1_000_000, 4_000]) {
    const { clock, state, teller, messages } = bench();
    state.maxPayload = most;
    const all = Array.from({ length: 300 }, (_, n) => `e-${n}`);
    for (const id of all) teller.changed(id, progress(1, '\u{1f40c}'.repeat(100)));
    await clock.advance(250);
    const [first = []] = messages();
    t.ok(first.length > 4 && first.length < 100, `${first.length} at once`);
    for (let round = 0; round < 9; round++) {
      for (const id of all) teller.changed(id, progress(2, '\u{1f40c}'.repeat(100)));
      await clock.advance(1_000);
    }
    const told = [first, ...messages()].flat().map((line) => line.split(' ')[0]);
    const once = new Set(told);
    t.equal(once.size, Math.min(all.length, told.length), 'none twice before all were told of');
  }
});

t.test('once it is closed nothing is told', async (t) => {
  const { clock, teller, messages } = bench();
  teller.changed('e-1', progress(1));
  teller.close();
  teller.changed('e-2', progress(1));
  await clock.advance(5_000);
  t.strictSame(messages(), []);
  t.equal(clock.pending, 0);
});
