import fc from 'fast-check';
import t from 'tap';
import { canonicalJson } from '../../core/canonical-json.ts';
import type { Constraint } from '../../core/job.ts';
import { parseSelector } from '../../core/label-selector.ts';
import { formatSelector, isLabelKey, isLabelValue, matchConstraints } from '../../core/labels.ts';

const labels = { region: 'eu', gpus: '4', 'example.org/zone': 'a', empty: '' };

const table: readonly (readonly [string, boolean])[] = [
  ['', true],
  ['region in (eu, us)', true],
  ['region in (us)', false],
  ['rack in (a)', false],
  ['region notin (us)', true],
  ['region notin (eu)', false],
  ['rack notin (a)', true],
  ['region=eu', true],
  ['region==eu', true],
  ['region = us', false],
  ['region!=eu', false],
  ['rack!=eu', true],
  ['region', true],
  ['rack', false],
  ['!rack', true],
  ['! region', false],
  ['gpus>3', true],
  ['gpus > 4', false],
  ['gpus<5', true],
  ['region>3', false],
  ['rack<3', false],
  ['example.org/zone=a,region,gpus>1', true],
  ['example.org/zone=a,region=us', false],
  ['empty=', true],
  ['toString', false],
  ['constructor!=x', true],
];

for (const [selector, expected] of table) {
  t.test(`selector '${selector}' is ${expected ? 'met' : 'not met'}`, async (t) => {
    t.equal(matchConstraints(labels, parseSelector(selector)).ok, expected);
  });
}

t.test('the reason names label, value and what was wanted', async (t) => {
  t.same(matchConstraints(labels, parseSelector('region in (us,uk)')), {
    ok: false,
    reason: 'label region is "eu"; wanted: region in (uk,us)',
  });
  t.same(matchConstraints(labels, parseSelector('rack')), {
    ok: false,
    reason: 'label rack is not set; wanted: rack',
  });
});

for (const bad of [
  'a b',
  'a=b c',
  'in (',
  'a in b',
  'a in (b',
  'a,',
  ',a',
  '-a',
  'a=$',
  'a>x',
  '!',
  '!a=b',
  'a in (b c)',
  '=b',
]) {
  t.test(`selector '${bad}' is refused in one line`, async (t) => {
    t.throws(() => parseSelector(bad), {
      code: 'invalid-argument',
      message: /^selector "[^\n]*expected/,
    });
  });
}

t.test('label syntax', async (t) => {
  for (const key of ['a', 'a.b_c-d', 'example.org/a', 'A9']) t.ok(isLabelKey(key), key);
  for (const key of ['', '-a', 'a-', 'a/b/c', 'Upper.org/a', '/a', 'a'.repeat(64)])
    t.notOk(isLabelKey(key), key);
  t.ok(isLabelValue(''));
  t.notOk(isLabelValue('a b'));
});

const key = fc.stringMatching(/^[a-z]([a-z0-9._-]{0,5}[a-z0-9])?$/);
const value = fc.stringMatching(/^[a-z0-9]{0,5}$/);
const constraint: fc.Arbitrary<Constraint> = fc.oneof(
  fc.record({
    Key: key,
    Operator: fc.constantFrom('in' as const, 'notin' as const),
    Values: fc.array(value, { minLength: 1, maxLength: 3 }).map((v) => v.sort()),
  }),
  fc.record({
    Key: key,
    Operator: fc.constantFrom('=' as const, '==' as const, '!=' as const),
    Values: fc.tuple(value),
  }),
  fc.record({
    Key: key,
    Operator: fc.constantFrom('exists' as const, '!' as const),
    Values: fc.constant([]),
  }),
  fc.record({
    Key: key,
    Operator: fc.constantFrom('gt' as const, 'lt' as const),
    Values: fc.tuple(fc.nat().map(String)),
  }),
);

t.test('a selector that was formatted reads back the same', async (t) => {
  fc.assert(
    fc.property(fc.array(constraint, { maxLength: 4 }), (constraints) => {
      t.equal(
        canonicalJson(parseSelector(formatSelector(constraints))),
        canonicalJson(constraints),
      );
    }),
    { numRuns: 60 },
  );
});
