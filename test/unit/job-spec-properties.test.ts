import fc from 'fast-check';
import t from 'tap';
import { canonicalJson } from '../../core/canonical-json.ts';
import { editDistance, nearestWord } from '../../core/edit-distance.ts';
import { LimpetError } from '../../core/errors.ts';
import { parseJobSpec } from '../../core/job-spec.ts';

const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,8}$/);
const upper = fc.stringMatching(/^[A-KM-Z][A-Z0-9_]{0,8}$/);
const free = fc.dictionary(
  word,
  fc.string({ minLength: 1 }).map((s) => s.replaceAll('\0', '0')),
);

const job = fc.record(
  {
    Type: fc.constantFrom('batch', 'service'),
    Count: fc.nat(50),
    Labels: free,
    Tasks: fc.tuple(
      fc.record(
        {
          Name: word,
          Engine: fc.record({
            Type: fc.constantFrom('docker', 'WASM'),
            Params: fc.dictionary(word, fc.json()),
          }),
          Env: fc.dictionary(
            upper.filter((name) => !name.startsWith('BACALHAU_')),
            word,
          ),
          Resources: fc.record({
            CPU: fc.constantFrom('1', '250M', ' 0.1'),
            Memory: fc.constantFrom('1Gi', '5 mb'),
          }),
          Network: fc.record({ Type: fc.constantFrom('Full', 'None', 'DEFAULT') }),
        },
        { requiredKeys: ['Name', 'Engine'] },
      ),
    ),
  },
  { requiredKeys: ['Type', 'Tasks'] },
);

t.test('parsing what was parsed before changes nothing', async (t) => {
  const property = fc.property(job, (data) => {
    const once = parseJobSpec(data, 'strict').spec;
    const twice = parseJobSpec(JSON.parse(JSON.stringify(once)), 'strict').spec;
    return canonicalJson(once) === canonicalJson(twice);
  });
  t.doesNotThrow(() => fc.assert(property));
});

t.test('anything at all is either a job or one line of invalid-job', async (t) => {
  const almost = fc.oneof(
    fc.anything(),
    fc.record({ Type: fc.anything(), Tasks: fc.anything() }),
    fc.jsonValue(),
  );
  const property = fc.property(
    almost,
    fc.constantFrom('strict' as const, 'lenient' as const),
    (data, mode) => {
      try {
        parseJobSpec(data, mode);
        return true;
      } catch (error) {
        return (
          error instanceof LimpetError &&
          error.code === 'invalid-job' &&
          !error.message.includes('\n')
        );
      }
    },
  );
  t.doesNotThrow(() => fc.assert(property));
});

t.test('canonical JSON is JSON, and blind to the order of keys', async (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      t.ok(canonicalJson(JSON.parse(canonicalJson(value))) === canonicalJson(value));
      return (
        JSON.stringify(JSON.parse(canonicalJson(value))).length === JSON.stringify(value).length
      );
    }),
    { numRuns: 50 },
  );
  t.equal(canonicalJson({ b: 1, a: [{ d: undefined, c: null }] }), '{"a":[{"c":null}],"b":1}');
  t.throws(() => canonicalJson({ a: Number.NaN }), { code: 'invalid-argument' });
});

t.test('edit distance', async (t) => {
  t.equal(editDistance('kitten', 'sitting'), 3);
  t.equal(editDistance('Env', 'env'), 0);
  t.equal(nearestWord('Enigne', ['Name', 'Engine', 'Env']), 'Engine');
  t.equal(nearestWord('Potato', ['Name', 'Engine']), undefined);
});
