/** Reports that wait long: folded, bounded, and never dropped without a word. */
import t from 'tap';
import { Outbox } from '../../adapters/link/outbox.ts';
import { openMemoryStore } from '../../adapters/store/memory-store.ts';
import { reportRules } from '../../agent/link/coalesce.ts';
import { Drift, isLevel } from '../../wire/digests.ts';
import { needsSnapshot } from '../../wire/link.ts';
import { agentRowSchema, type ExecutionReport } from '../../wire/messages.ts';

const ALL = { rows: 1_000, bytes: 1e9 };

function report(id: string, revision: number, state: ExecutionReport['state']) {
  const events = [{ revision, at: revision, from: 'x', to: state, cause: 'because' }];
  const token = { jobVersion: 1, partition: 0, attempt: 0 };
  const output = state === 'completed' ? { stdout: 'a'.repeat(2_000) } : {};
  const fields = { executionId: id, token, revision, state, run: 0, reason: '', events };
  return { type: 'report' as const, report: { ...fields, ...output } };
}

async function open(mostBytes = 1e6) {
  const store = await openMemoryStore();
  const outbox = await Outbox.load(store, 'out/', () => 'one', reportRules(mostBytes));
  const add = (...rows: readonly unknown[]) => store.batch(outbox.append(rows));
  const rows = async () =>
    (await outbox.head(ALL)).map(({ body }) => agentRowSchema.parse(body).report);
  return { store, outbox, add, rows };
}

t.test('while the peer is away, states fold, events and ends do not', async (t) => {
  const { add, rows } = await open();
  for (const id of ['a', 'b'])
    for (const [i, state] of (['preparing', 'starting', 'running'] as const).entries())
      await add(report(id, i + 1, state));
  await add(report('a', 4, 'completed'), report('a', 5, 'completed'));
  const waiting = await rows();
  t.strictSame(
    waiting.map(({ executionId, revision, events }) => [
      executionId,
      revision,
      events.map((event) => event.revision),
    ]),
    [
      ['b', 3, [1, 2, 3]],
      ['a', 4, [1, 2, 3, 4]],
      ['a', 5, [5]],
    ],
  );
});

t.test('what may be under way stays as it is', async (t) => {
  const { add, rows } = await open();
  await add(report('a', 1, 'preparing'));
  await rows();
  await add(report('a', 2, 'starting'));
  t.strictSame(
    (await rows()).map(({ revision }) => revision),
    [1, 2],
  );
});

t.test('above the bound rows are written short, and say so; every end is there', async (t) => {
  const { outbox, add, rows } = await open(3_000);
  for (let i = 0; i < 10; i++) await add(report(`e${i}`, 1, 'completed'));
  t.ok(outbox.full);
  const waiting = await rows();
  t.equal(waiting.length, 10);
  const last = waiting.at(-1);
  t.equal(last?.stdout, undefined);
  t.match(last?.events, [{ cause: /because \(not sent.*3000 bytes.*output/ }]);
  const sent = await outbox.head(ALL);
  outbox.ack(sent.at(-1)?.seq ?? 0, sent);
  t.notOk(outbox.full);
  t.equal(outbox.waitingBytes, 0);
});

t.test('what waits is counted again after a restart', async (t) => {
  const { store, add, outbox } = await open();
  await add(report('a', 1, 'running'), report('b', 1, 'completed'));
  const again = await Outbox.load(store, 'out/', () => 'two', reportRules(1_000));
  t.equal(again.waitingBytes, outbox.waitingBytes);
  t.ok(again.full);
});

t.test('a change that is made while a snapshot is taken is not lost', async (t) => {
  const { outbox, add, rows } = await open();
  await add(report('a', 1, 'running'));
  await outbox.restart('two', async () => {
    await add(report('a', 2, 'completed'));
    return [report('a', 1, 'running').report].map((one) => ({ type: 'report', report: one }));
  });
  t.equal(outbox.acked, 0);
  t.strictSame(
    (await rows()).map(({ revision }) => revision),
    [2, 1],
  );
});

t.test('an old copy is seen even when it has written as much as was lost', async (t) => {
  const { store, add, rows } = await open();
  await add(report('a', 1, 'running'), report('b', 1, 'running'));
  await rows();
  const load = () => Outbox.load(store, 'out/', () => 'two', reportRules(1e6));
  const seen = (peerCursor: number) => ({
    ...{ incarnation: 'p', lastSeq: 0, peerIncarnation: 'one', peerCursor },
  });
  const copy = await load();
  await store.batch(copy.append([3, 4, 5, 6].map((n) => report(`new ${n}`, 1, 'completed'))));
  t.ok(needsSnapshot(copy.memory, seen(4)), 'it has seen rows 3 and 4, and these were others');
  t.notOk(needsSnapshot(copy.memory, seen(2)));

  const again = await load();
  await store.batch(again.append([report('new 7', 1, 'completed')]));
  for (const outbox of [again, await load()])
    t.ok(needsSnapshot(outbox.memory, seen(4)), 'also when it was started again meanwhile');
  t.equal((await again.head(ALL)).length, 7);
  const after = await load();
  t.notOk(needsSnapshot(after.memory, seen(7)), 'what was handed out may have been taken');
  t.ok(needsSnapshot(after.memory, seen(8)));
});

t.test('rows that could not be written are not waited for', async (t) => {
  const { outbox, add, rows } = await open();
  await add(report('a', 1, 'running'));
  const lost = outbox.append([report('a', 2, 'failed')]);
  const other = outbox.append([report('b', 1, 'running')]);
  t.equal(outbox.position().lastSeq, 3, 'they may yet be');
  outbox.unwritten(lost);
  t.equal(outbox.position().lastSeq, 3);
  outbox.unwritten([...other, { type: 'put', key: 'elsewhere/row/0000000000000001', value: '' }]);
  t.equal(outbox.position().lastSeq, 1);
  const [sent] = await outbox.head(ALL);
  if (sent === undefined) throw new Error('the first row was expected');
  outbox.ack(sent.seq, [sent]);
  t.ok(outbox.idle);
  await add(report('a', 2, 'completed'));
  t.equal(outbox.position().lastSeq, 4, 'and their numbers are not used again');
  t.match(await rows(), [{ state: 'completed' }]);
  await outbox.restart('two', () => Promise.resolve([]));
  t.equal(outbox.position().lastSeq, 0, 'nor are those of before a new beginning');
});

t.test('digests are compared by ends that are level, twice, and told once', async (t) => {
  const end = { incarnation: 'a', lastSeq: 3, peerIncarnation: 'b', peerCursor: 7 };
  const other = { incarnation: 'b', lastSeq: 7, peerIncarnation: 'a', peerCursor: 3 };
  t.ok(isLevel(end, other));
  t.notOk(isLevel(end, { ...other, lastSeq: 8 }));
  t.notOk(isLevel({ ...end, lastSeq: 4 }, other));
  const drift = new Drift();
  t.notOk(drift.differs(['x', 'y']), 'it may be on its way');
  t.notOk(drift.differs(undefined));
  t.ok(drift.differs(['x', 'y']));
  t.notOk(drift.differs(['x', 'y']), 'a handshake could not mend it');
  t.notOk(drift.differs(['x', 'x']));
  t.notOk(drift.differs(['x', 'y']));
  t.ok(drift.differs(['x', 'y']));
});

t.test('a row of a batch that was not written is not folded into what follows', async (t) => {
  const { outbox, add, rows } = await open();
  await add(report('a', 1, 'accepted'));
  outbox.unwritten(outbox.append([report('a', 2, 'preparing')]));
  await add(report('a', 2, 'cancelled'));
  const told = (await rows()).map(({ revision, state }) => [revision, state]);
  t.strictSame(told.at(-1), [2, 'cancelled']);
  t.notOk(
    told.some(([, state]) => state === 'preparing'),
    'nobody hears what never was',
  );
});
