/** How far something is, in words; and what is made of what other people's programs tell. */
import t from 'tap';
import { liveProgress, liveProgressSchema, progressLine } from '../../core/live-progress.ts';

t.test('amounts stand in the unit of the larger one', async (t) => {
  const image = { kind: 'image', item: 'busybox:1' } as const;
  for (const [doneBytes, totalBytes, line] of [
    [12_000_000, 40_000_000, 'image busybox:1 12 of 40 MB (30 %)'],
    [300_000, 1_500_000_000, 'image busybox:1 0 of 1.5 GB (0 %)'],
    [999, 1_000, 'image busybox:1 1 of 1 kB (99 %)'],
    [2_000, 1_000, 'image busybox:1 2 of 1 kB (100 %)'],
    [0, 17, 'image busybox:1 0 of 17 B (0 %)'],
  ] as const)
    t.equal(progressLine({ ...image, doneBytes, totalBytes }), line);
  t.equal(progressLine({ ...image, doneBytes: 2_340_000 }), 'image busybox:1 2.3 MB');
  t.equal(progressLine({ ...image, doneBytes: 0 }), 'image busybox:1');
  t.equal(progressLine({ kind: 'other', item: 'unpacking', doneBytes: 0 }), 'unpacking');
});

t.test('what is told without a name counts by its words', async (t) => {
  const message = 'pulling';
  t.strictSame(liveProgress({ kind: 'image', item: 'a:1', message, doneBytes: 1, totalBytes: 2 }), {
    ...{ kind: 'image', item: 'a:1', doneBytes: 1, totalBytes: 2 },
  });
  const words = { kind: 'other', item: message, doneBytes: 0 };
  t.strictSame(liveProgress({ kind: 'image', item: '', message }), words);
  t.strictSame(liveProgress({ kind: 'cassette', item: 'a', message, totalBytes: 0 }), words);
  t.equal(liveProgress({ message: '' }), undefined);
});

t.test('no number and no length of theirs breaks the message', async (t) => {
  for (const odd of [Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY, 2 ** 60]) {
    const told = { message: 'x'.repeat(1_000), doneBytes: odd, totalBytes: odd };
    const progress = liveProgress(told);
    t.strictSame(progress, { kind: 'other', item: 'x'.repeat(256), doneBytes: 0 });
    t.equal(liveProgressSchema.safeParse(progress).success, true);
  }
  const newer = { kind: 'cassette', item: 'a', doneBytes: 1 };
  t.strictSame(liveProgressSchema.parse(newer), { ...newer, kind: 'other' });
});
