/** JSON Schemas of plugins: which are used, how long they may take, and what the author of a job reads. */
import t from 'tap';
import { MOST_SCHEMA_BYTES } from '../../adapters/schemas/json-schema.ts';
import { paramsFault } from '../../adapters/schemas/params-fault.ts';
import { SchemaChecks } from '../../adapters/schemas/schema-check.ts';
import { TimeLimit } from '../../adapters/schemas/time-limit.ts';

type Json = Readonly<Record<string, unknown>>;

const checks = new SchemaChecks();
/** Exactly these keys. */
const only = (properties: Json, more: Json = {}): Json => ({
  ...{ type: 'object', properties, additionalProperties: false },
  ...more,
});
const fault = (schema: unknown, params: Json): string | undefined =>
  paramsFault(checks.of(JSON.stringify(schema)), params)?.replace('Tasks[0].Engine.Params', '@');

/** Of one param A: its schema, what is given, what is said; undefined: taken. */
const VALUES: readonly (readonly [schema: unknown, given: unknown, said: string | undefined])[] = [
  [{ type: 'string' }, 'x', undefined],
  [{ type: 'string' }, 7, 'found the number 7; expected a text'],
  [{ type: 'string' }, null, 'found null; expected a text'],
  [{ type: 'string' }, [1, 2], 'found a list of 2; expected a text'],
  [{ type: 'string' }, { b: 1 }, 'found a mapping; expected a text'],
  [{ type: 'integer' }, 1.5, 'found the number 1.5; expected a whole number'],
  [{ type: 'number' }, 'x', 'found "x"; expected a number'],
  [{ type: 'boolean' }, 'yes', 'found "yes"; expected true or false'],
  [{ type: 'null' }, true, 'found the boolean true; expected null'],
  [{ type: 'object' }, 'x', 'found "x"; expected a mapping'],
  [{ type: 'array' }, 'x', 'found "x"; expected a list'],
  [
    { type: 'array', items: { type: 'string' } },
    'x',
    'found "x"; expected a list, each of it a text',
  ],
  [{ type: ['string', 'null'] }, 5, 'found the number 5; expected a text or null'],
  [{ enum: ['a', 3] }, 'c', 'found "c"; expected one of "a", 3'],
  [{ const: 'a' }, 'c', 'found "c"; expected "a"'],
  [{ type: 'integer', description: 'Tries.' }, 'c', 'found "c"; expected a whole number (Tries)'],
  [{ type: 'integer', minimum: 1 }, 0, 'found the number 0; expected a number >= 1'],
  [{ maximum: 9 }, 10, 'found the number 10; expected a number <= 9'],
  [{ exclusiveMinimum: 1 }, 1, 'found the number 1; expected a number > 1'],
  [{ exclusiveMaximum: 1 }, 1, 'found the number 1; expected a number < 1'],
  [{ multipleOf: 4 }, 6, 'found the number 6; expected a multiple of 4'],
  [{ pattern: '^/' }, 'x', 'found "x"; expected a text that matches ^/'],
  [{ minLength: 1 }, '', 'found ""; expected a text that is not empty'],
  [{ minLength: 3 }, 'ab', 'found "ab"; expected a text of 3 characters at least'],
  [{ maxLength: 3 }, 'abcd', 'found "abcd"; expected a text of 3 characters at most'],
  [{ minItems: 1 }, [], 'found a list of 0; expected a list that is not empty'],
  [{ minItems: 2 }, [1], 'found a list of 1; expected a list of 2 at least'],
  [{ maxItems: 1 }, [1, 2], 'found a list of 2; expected a list of 1 at most'],
  [{ maxItems: 0 }, [1], 'found a list of 1; expected an empty list'],
  [{ prefixItems: [{}], items: false }, [1, 2], 'found a list of 2; expected a list of 1 at most'],
  [
    { uniqueItems: true },
    [1, 1],
    'found a list of 2; expected a list in which nothing is there twice',
  ],
  [{ minProperties: 1 }, {}, 'found a mapping; expected a mapping with 1 keys at least'],
  [{ maxProperties: 0 }, { a: 1 }, 'found a mapping; expected a mapping with 0 keys at most'],
  [false, 1, 'found the number 1; expected nothing here'],
  [{ not: { const: 5 } }, 5, 'found the number 5, which is not allowed here'],
  [{ format: 'email' }, 'no', undefined],
];

t.test('of a value: what was found and what is expected', async (t) => {
  for (const [schema, given, said] of VALUES)
    t.equal(
      fault(only({ A: schema }), { A: given }),
      said === undefined ? undefined : `@.A: ${said}`,
      JSON.stringify(schema),
    );
});

t.test('of a key: the words that are known, and the one that was meant', async (t) => {
  const two = only({ Command: { type: 'string' }, Env: {} }, { required: ['Command'] });
  const known = 'expected one of Command, Env';
  t.equal(fault(two, { Comand: 'x' }), `@.Comand: unknown; ${known}; did you mean Command?`);
  t.equal(fault(two, { Command: 'x', zzzzzz: 1 }), `@.zzzzzz: unknown; ${known}`);
  t.equal(fault(only({ A: {} }), { B: 1 }), '@.B: unknown; expected one of A', 'no near word');
  t.equal(fault(two, {}), '@.Command: missing; expected a text');
  t.equal(fault(only({}), { a: 1 }), '@.a: unknown; no key is expected here');
  const many = Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`k${i}`, {}]));
  t.match(fault(only(many), { zzzzzz: 1 }), /expected one of k0, .*, k19 and 5 more$/);
  t.equal(fault({ required: ['Z'] }, {}), '@.Z: missing');
  t.equal(fault({ dependentRequired: { A: ['B'] } }, { A: 1 }), '@.B: missing, and A needs it');
  t.equal(
    fault({ properties: { Ab: {} }, unevaluatedProperties: false }, { Ac: 1 }),
    '@.Ac: unknown; expected one of Ab; did you mean Ab?',
  );
  t.equal(
    fault({ propertyNames: { pattern: '^[A-Z]' } }, { low: 1 }),
    '@.low: not a name that is allowed here',
  );
});

t.test('keys match without regard to case, and only once', async (t) => {
  const schema = only({ EntryModule: { type: 'string' } });
  t.equal(fault(schema, { ENTRYMODULE: 'm' }), undefined);
  t.equal(fault(schema, { entrymodule: 2 }), '@.EntryModule: found the number 2; expected a text');
  t.equal(
    fault(schema, { entrymodule: 'm', EntryModule: 'm' }),
    '@.EntryModule: is there twice, as entrymodule too',
  );
});

t.test('the path leads to the value', async (t) => {
  const text = { type: 'string' };
  const list = { items: { properties: { D: text } } };
  const said = 'found the number 1; expected a text';
  for (const [schema, params, path] of [
    [{ A: { items: text } }, { A: ['x', 1] }, '.A[1]'],
    [{ A: { properties: { 'b c': list } } }, { A: { 'b c': [{}, { D: 1 }] } }, '.A["b c"][1].D'],
    [{ A: { additionalProperties: text } }, { A: { 'x/y~z': 1 } }, '.A["x/y~z"]'],
    [{ A: { additionalProperties: text } }, { A: { '0': 1 } }, '.A["0"]'],
    [{ A: { $ref: '#/$defs/s' } }, { A: 1 }, '.A'],
  ] as const)
    t.equal(fault({ properties: schema, $defs: { s: text } }, params), `@${path}: ${said}`);
});

t.test('of several forms that one is judged by that was meant', async (t) => {
  const one = { anyOf: [{ type: 'string', minLength: 1 }, { items: { type: 'string' } }] };
  const texts = { type: 'array', items: { type: 'string' } };
  const either = only({ A: { anyOf: [{ type: 'string', minLength: 1 }, texts] } });
  t.equal(
    fault(either, { A: 5 }),
    '@.A: found the number 5; expected a text or a list, each of it a text',
  );
  t.equal(fault(either, { A: ['a', 5] }), '@.A[1]: found the number 5; expected a text');
  t.equal(fault(either, { A: '' }), '@.A: found ""; expected a text that is not empty');
  t.equal(fault(only({ A: one }), { A: 'x' }), undefined);
  const words = only({ A: { anyOf: [{ const: 'a' }, { const: 'b' }] } });
  t.equal(fault(words, { A: 'c' }), '@.A: found "c"; expected "a" or "b"');
  const form = (kind: string, field: string): Json =>
    only({ kind: { const: kind }, [field]: { type: 'string' } }, { required: ['kind', field] });
  for (const union of ['oneOf', 'anyOf']) {
    const tagged = only({ A: { [union]: [form('a', 'xx'), form('b', 'yyyy')] } });
    const said = (A: Json): string | undefined => fault(tagged, { A });
    t.equal(said({ kind: 'b', yyyy: 'y' }), undefined);
    t.equal(said({ kind: 'b', yyyy: 5 }), '@.A.yyyy: found the number 5; expected a text');
    t.equal(said({ kind: 'b' }), '@.A.yyyy: missing; expected a text');
    t.equal(
      said({ kind: 'b', yyy: 5 }),
      '@.A.yyy: unknown; expected one of kind, yyyy; did you mean yyyy?',
    );
    t.equal(said({ kind: 'c' }), '@.A.kind: found "c"; expected one of "a", "b"');
    t.equal(said({ xx: 'x' }), '@.A.kind: missing; expected one of "a", "b"');
  }
});

t.test('what must not be shown is not, and nothing breaks the line', async (t) => {
  const hidden = 'found a value that is not shown; expected';
  const short = { type: 'string', minLength: 10 };
  const numbers = { items: { type: 'integer' }, additionalProperties: { type: 'integer' } };
  t.equal(
    fault(only({ Password: short }), { Password: 'hunter2' }),
    `@.Password: ${hidden} a text of 10 characters at least`,
  );
  t.equal(
    fault(only({ Secrets: numbers }), { Secrets: ['x'] }),
    `@.Secrets[0]: ${hidden} a whole number`,
  );
  t.equal(
    fault(only({ Env: numbers }), { Env: { API_TOKEN: 'x' } }),
    `@.Env.API_TOKEN: ${hidden} a whole number`,
  );
  const odd = only({ A: { enum: ['a'], description: `one\ntwo\u001b[31m${'d'.repeat(900)}` } });
  const said = fault(odd, { A: 'x\n\u001b[31m' }) ?? '';
  t.match(said, /^@\.A: found "x\\n\\u001b\[31m"; expected one of "a" \(one two \[31md+\.\.\.$/);
  t.ok(said.length < 500);
  t.equal(fault(only({ A: {} }), { 'x\u001by': 1 }), '@["x\\u001by"]: unknown; expected one of A');
  const cut = `${'x'.repeat(57)}...`;
  t.equal(
    fault(only({ A: { const: 1 } }), { A: 'x'.repeat(200) }),
    `@.A: found "${cut}"; expected 1`,
  );
});

t.test('both drafts are known, and true and false', async (t) => {
  const A = { items: [{ type: 'string' }], additionalItems: false };
  for (const at of [
    'http://json-schema.org/draft-07/schema#',
    'https://json-schema.org/draft-07/schema',
  ])
    t.equal(
      fault({ $schema: at, properties: { A } }, { A: ['a', 1] }),
      '@.A: found a list of 2; expected a list of 1 at most',
    );
  const now = 'https://json-schema.org/draft/2020-12/schema';
  t.equal(
    fault({ $schema: now, properties: { A: false } }, { A: 1 }),
    '@.A: found the number 1; expected nothing here',
  );
  t.equal(fault(true, { A: 1 }), undefined);
  t.equal(fault(false, { A: 1 }), '@: found a mapping; expected nothing here');
});

/** What of it cannot be used; with the comparison to the metaschema, and without. */
const REFUSED: readonly (readonly [text: string, problem: RegExp, without?: RegExp])[] = [
  ['', /^it is no JSON$/],
  ['{', /^it is no JSON$/],
  ['[]', /^it is no JSON object$/],
  ['null', /^it is no JSON object$/],
  ['7', /^it is no JSON object$/],
  ['{"type":"strnig"}', /^its \/type is no JSON Schema$/, /^type must be/],
  ['{"properties":{"a":{"minimum":"x"}}}', /^its \/properties\/a\/minimum is no/, /^minimum value/],
  ['{"properties":{"a":{"pattern":"("}}}', /^Invalid regular expression/],
  ['{"$ref":"#/$defs/none"}', /^can't resolve reference #\/\$defs\/none/],
  ['{"$ref":"http://127.0.0.1/x"}', /^can't resolve reference/],
  ['{"$schema":"http://json-schema.org/draft-04/schema#"}', /^its \$schema is not known here/],
  ['{"$schema":7}', /^its \$schema is not known here/],
  ['{"$async":true}', /^it has a key \$async$/],
  ['{"x":[{"__proto__":1}]}', /^it has a key __proto__$/],
  [`{"not":`.repeat(70) + '{}' + '}'.repeat(70), /^it is nested deeper than 64 levels$/],
  [`{"d":"${'x'.repeat(MOST_SCHEMA_BYTES)}"}`, /^it has 65544 bytes; expected 65536 at most$/],
];

t.test('what cannot be used is no schema, and says why', async (t) => {
  const lenient = new SchemaChecks({ metaschema: false });
  for (const [text, problem, without = problem] of REFUSED) {
    const check = checks.of(text);
    t.match(check.problem, problem, text.slice(0, 60));
    t.match(lenient.of(text).problem, without);
    t.equal(check.fault({ anything: 1 }, []), undefined, 'it refuses nothing');
    t.equal(check.schema, true);
  }
  const full = `{"d":"${'x'.repeat(MOST_SCHEMA_BYTES - 8)}"}`;
  t.equal(checks.of(full).problem, undefined, 'the largest there may be');
});

t.test('a schema has its time, and others are not held up by it', async (t) => {
  let uptime = 0;
  const slow = JSON.stringify({ properties: { a: { pattern: '^(a+)+$' } } });
  const times = { checkMs: 30, compileMs: 5_000, restMs: 1_000, metaschema: false };
  const bounded = new SchemaChecks(times, () => uptime);
  const check = bounded.of(slow);
  const began = performance.now();
  for (let i = 0; i < 3; i++) {
    t.equal(check.problem, undefined, `it is used, ${i}`);
    t.equal(check.fault({ a: `${'a'.repeat(40)}!` }, []), undefined, 'nothing is known');
  }
  t.match(check.problem, /^checking against it takes longer than 30 ms$/, 'after three times');
  t.equal(check.fault({ a: 'b' }, []), undefined);
  t.ok(performance.now() - began < 10_000, 'stopped in the middle');

  const never = new SchemaChecks({ ...times, compileMs: 1 }, () => uptime);
  const large = JSON.stringify({
    anyOf: Array.from({ length: 1_500 }, (_, i) => ({
      properties: { [`k${i}`]: { minLength: i } },
    })),
  });
  t.equal(never.of(large).problem, 'it takes longer than 1 ms to be read');
  const other = '{"type":"string"}';
  t.match(never.of(other).problem, /^another schema has just taken too long/);
  uptime = 999;
  t.match(never.of(other).problem, /^another/);
  uptime = 1_000;
  t.notMatch(never.of(other).problem ?? '', /^another/, 'asked again');
  t.match(never.of(large).problem, /^it takes longer/, 'the slow one is remembered');
});

t.test('a schema without an end is found out, not followed', async (t) => {
  const check = new SchemaChecks({ metaschema: false }).of('{"$ref":"#"}');
  for (let i = 0; i < 3; i++) t.equal(check.fault({}, []), undefined);
  t.equal(check.problem, 'checking against it does not come to an end');
});

t.test('the last 256 are kept', async (t) => {
  const kept = new SchemaChecks({ metaschema: false });
  const first = kept.of('{}');
  const second = kept.of('true');
  for (let i = 0; i < 254; i++) kept.of(`[${i}]`);
  t.equal(kept.of('{}'), first);
  kept.of('[254]');
  t.equal(kept.of('{}'), first, 'what is used stays');
  t.not(kept.of('true'), second, 'what is not used goes');
});

t.test('work that is stopped, work that throws, and the next', async (t) => {
  const limit = new TimeLimit();
  const endless = (): never => {
    for (;;);
  };
  t.equal(limit.run(20, endless), undefined);
  t.throws(
    () =>
      limit.run(1_000, () => {
        throw new RangeError('deep');
      }),
    { name: 'RangeError', message: 'deep' },
  );
  t.strictSame(
    limit.run(1_000, () => 7),
    { value: 7 },
  );
});
