/** How far a reader has got, as the id of an event. */
import t from 'tap';
import { formatLogPosition, parseLogPosition } from '../../wire/log-position.ts';

t.test('a position comes back as it was', async (t) => {
  for (const position of [
    new Map<string, number>(),
    new Map([
      ['e-1', 0],
      ['e-2', Number.MAX_SAFE_INTEGER],
    ]),
  ])
    t.strictSame([...parseLogPosition(formatLogPosition(position))], [...position]);
});

t.test('it goes into a header and a query as it is', async (t) => {
  const text = formatLogPosition(new Map([['e-ü/?&=', 12]]));
  t.match(text, /^v1:[A-Za-z0-9_-]+$/);
});

t.test(
  'of very many executions the last ones are kept, so that it can be read again',
  async (t) => {
    const many = new Map(Array.from({ length: 1_100 }, (_, i) => [`e-${i}`, i] as const));
    const kept = parseLogPosition(formatLogPosition(many));
    t.equal(kept.size, 1_024);
    t.equal(kept.get('e-1099'), 1_099);
    t.equal(kept.get('e-75'), undefined);
  },
);

t.test('what is none is refused in one line, shortened', async (t) => {
  const cases = [
    '',
    'v2:W10',
    'v1:',
    'v1:{}',
    text('{}'),
    text('[["e-1",-1]]'),
    text('[["e-1",1.5]]'),
  ];
  for (const bad of [...cases, text('[["e-1"]]'), `v1:${'x'.repeat(100)}`])
    t.throws(
      () => parseLogPosition(bad),
      {
        code: 'invalid-argument',
        message:
          /^after is '.{0,41}'; expected the id of an event of this log, as it was received$/,
      },
      bad,
    );
});

function text(json: string): string {
  return `v1:${Buffer.from(json).toString('base64url')}`;
}
