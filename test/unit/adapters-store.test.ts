import t from 'tap';
import { crc32 } from '../../adapters/store/crc32.ts';
import { GroupCommit } from '../../adapters/store/group-commit.ts';
import { decodeRecord, encodeRecord } from '../../adapters/store/record.ts';

t.test('crc32 gives the published check value, also in pieces', (t) => {
  t.equal(crc32(Buffer.from('123456789')), 0xcbf43926);
  t.equal(crc32(Buffer.from('6789'), crc32(Buffer.from('12345'))), 0xcbf43926);
  t.equal(crc32(Buffer.of()), 0);
  t.end();
});

t.test('a record is readable text and belongs to its key', (t) => {
  const text = encodeRecord('ex/1', { a: 1 });
  t.match(text, /^[0-9a-f]{8}\{"a":1\}$/);
  t.same(decodeRecord('ex/1', text), { ok: true, value: { a: 1 } });
  t.match(decodeRecord('ex/2', text), { ok: false, reason: /checksum/ });
  t.match(decodeRecord('ex/1', text.replace('1}', '2}')), { ok: false, reason: /checksum/ });
  t.match(decodeRecord('ex/1', ''), { ok: false });
  t.end();
});

t.test('batches that arrive during a write share the next one', async (t) => {
  const writes: number[][] = [];
  const gates: (() => void)[] = [];
  const commits = new GroupCommit<number>((ops) => {
    writes.push(ops);
    return new Promise((resolve) => gates.push(resolve));
  });
  const first = commits.commit([1]);
  await Promise.resolve();
  t.same(writes, [[1]]);
  const others = Promise.all([commits.commit([2, 3]), commits.commit([4])]);
  t.same(writes, [[1]], 'nothing is written while a write is under way');
  gates[0]?.();
  await first;
  t.same(writes, [[1], [2, 3, 4]]);
  gates[1]?.();
  await others;
});

t.test('a failed write rejects its whole group and no other', async (t) => {
  let failing = true;
  const commits = new GroupCommit<number>(async () => {
    if (failing) throw new Error('disk full');
  });
  const group = await Promise.allSettled([commits.commit([1]), commits.commit([2])]);
  t.same(
    group.map((one) => one.status),
    ['rejected', 'rejected'],
  );
  failing = false;
  await commits.commit([3]);
  await commits.idle();
});
