/** `--since` of `limpet job logs`. */
import t from 'tap';
import { parseSince } from '../../cli/logs/since.ts';

const NOW = Date.parse('2026-04-18T10:31:00Z');

t.test('how long ago, and times of RFC 3339', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['90s', '2026-04-18T10:29:30Z'],
    ['10m', '2026-04-18T10:21:00Z'],
    ['2h', '2026-04-18T08:31:00Z'],
    ['1h30m', '2026-04-18T09:01:00Z'],
    ['1d', '2026-04-17T10:31:00Z'],
    ['2026-04-18T10:31:00Z', '2026-04-18T10:31:00Z'],
    ['2026-04-18t10:31:00.25z', '2026-04-18T10:31:00.250Z'],
    ['2026-04-18T10:31:00.123456789Z', '2026-04-18T10:31:00.123Z'],
    ['2026-04-18 12:31:00+02:00', '2026-04-18T10:31:00Z'],
  ];
  for (const [text, expected] of cases) t.equal(parseSince(text, NOW), Date.parse(expected), text);
  t.equal(parseSince('999999d', NOW), 0, 'nothing is older than time');
});

t.test('all else is refused with an example', async (t) => {
  const texts = ['', '10', '10x', '-5m', 'yesterday', '2026-04-18', '2026-02-30T00:00:00Z'];
  for (const text of [...texts, '2026-04-18T10:31:00', '2026-04-18T25:00:00Z', '1.5h'])
    t.throws(
      () => parseSince(text, NOW),
      { message: /such as 10m, .* 2026-04-18T10:31:00Z\./ },
      text,
    );
});
