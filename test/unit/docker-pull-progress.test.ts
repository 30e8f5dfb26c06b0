/** The engine tells of layers, people want to know of the image. */
import t from 'tap';
import { pullLine, PullProgress } from '../../executors/docker/pull-progress.ts';

/** `[bytes, total]` of the image after each of these lines. */
function amounts(lines: readonly (readonly [string, string, number?, number?])[]) {
  const pull = new PullProgress('a:1');
  return lines.map(([id, status, current, total]) => {
    const detail = current === undefined ? {} : { progressDetail: { current, total } };
    const { currentBytes, totalBytes } = pull.take(pullLine.parse({ id, status, ...detail }));
    return [currentBytes, totalBytes];
  });
}

t.test('layers are counted together, and a total is told when all sizes are known', async (t) => {
  t.strictSame(
    amounts([
      ['1', 'Pulling from library/a'],
      ['old', 'Already exists'],
      ['one', 'Pulling fs layer'],
      ['two', 'Pulling fs layer'],
      ['two', 'Waiting'],
      ['one', 'Downloading', 10, 100],
      ['one', 'Downloading', 60, 100],
      ['two', 'Downloading', 1, 900],
      ['one', 'Verifying Checksum'],
      ['one', 'Download complete'],
      ['one', 'Extracting', 3, 100],
      ['two', 'Downloading', 899, 900],
      ['two', 'Pull complete'],
    ]),
    [
      ...[0, 0, 0, 0, 0].map((none) => [none, undefined]),
      [10, undefined],
      [60, undefined],
      [61, 1000],
      [61, 1000],
      [101, 1000],
      [101, 1000],
      [999, 1000],
      [1000, 1000],
    ],
  );
});

t.test(
  'a download that begins anew is told as it is, one that came at once counts nothing',
  async (t) => {
    t.strictSame(
      amounts([
        ['one', 'Downloading', 60, 100],
        ['one', 'Retrying in 1 second'],
        ['one', 'Downloading', 5, 100],
        ['small', 'Pulling fs layer'],
        ['small', 'Download complete'],
        ['small', 'Extracting', 7, 7],
      ]),
      [
        [60, 100],
        [60, 100],
        [5, 100],
        [5, undefined],
        [5, 100],
        [5, 100],
      ],
    );
  },
);

t.test('the image is named', async (t) => {
  const told = new PullProgress('a:1').take(pullLine.parse({ status: 'Pulling', id: 'x' }));
  t.strictSame(told, { message: 'x: Pulling', kind: 'image', item: 'a:1', currentBytes: 0 });
});
