/** The JSON Schema of a job file, as an editor uses it. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import t from 'tap';
import { parse } from 'yaml';
import { jobFileSchema } from '../../core/job-file-schema.ts';
import { JOB_SHAPE } from '../../core/job-spec-shape.ts';

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every field, at any level, by its path. */
function fields(schema: unknown, at = ''): (readonly [string, unknown])[] {
  if (Array.isArray(schema)) return schema.flatMap((one) => fields(one, at));
  if (!isMapping(schema)) return [];
  return Object.entries(schema).flatMap(([key, value]) => {
    if (key !== 'properties' || !isMapping(value)) return fields(value, at);
    return Object.entries(value).flatMap(([name, field]) => [
      [`${at}.${name}`, field] as const,
      ...fields(field, `${at}.${name}`),
    ]);
  });
}

/** The paths of a shape, as `fields` writes them. */
function shapePaths(shape: typeof JOB_SHAPE, at = ''): string[] {
  if (typeof shape === 'string') return [];
  if ('list' in shape) return shapePaths(shape.list, at);
  return Object.entries(shape.keys).flatMap(([key, inner]) => [
    `${at}.${key}`,
    ...shapePaths(inner, `${at}.${key}`),
  ]);
}

t.test('an editor tells of every field what it is for, in one line', async (t) => {
  const all = fields(jobFileSchema([]));
  const paths = all.map(([path]) => path).sort();
  t.strictSame(paths, ['.$schema', ...shapePaths(JOB_SHAPE)].sort(), 'none is missing');
  for (const [path, field] of all) {
    const text = isMapping(field) ? field['description'] : undefined;
    t.match(text, /^[^\n]{10,160}\.$/, path);
  }
});

t.test('what the schema refuses and takes is what a job file may hold', async (t) => {
  const takes = new Ajv2020({ strict: false, validateFormats: false }).compile(jobFileSchema([]));
  const job = (more: object, task: object = {}) => ({
    ...{ Type: 'batch', Tasks: [{ Name: 'a', Engine: { Type: 'x' }, ...task }] },
    ...more,
  });
  for (const good of [
    job({}),
    job({ $schema: 'job.schema.json', Disconnect: 'keep' }),
    job({ Disconnect: { StopAfter: '3m' }, RestartPolicy: { Attempts: 'unlimited' } }),
    job({ Count: 3 }, { Resources: { CPU: '0.5' }, Timeouts: { ExecutionTimeout: 60 } }),
  ])
    t.equal(takes(good), true, JSON.stringify(good));
  for (const bad of [
    job({ Typ: 'batch' }),
    job({ Type: 'Batch' }),
    job({ Count: '3' }),
    job({ Disconnect: 'kep' }),
    job({ Disconnect: { StopAftr: '3m' } }),
    job({ Tasks: [] }),
    job({}, { Engin: {} }),
    job({}, { Resources: { CPU: 1 } }),
    job({}, { Timeouts: { ExecutionTimeout: -1 } }),
  ])
    t.equal(takes(bad), false, JSON.stringify(bad));
});

t.test('the job files of the examples fit it', async (t) => {
  const takes = new Ajv2020({ strict: false, validateFormats: false }).compile(jobFileSchema([]));
  const folder = fileURLToPath(new URL('../../fixtures/jobs/', import.meta.url));
  // That of Bacalhau has its keys in another case, and editors compare that.
  const files = readdirSync(folder).filter((file) => /^(?!bacalhau).*\.ya?ml$/.test(file));
  t.ok(files.length > 1);
  for (const file of files) {
    const fits = takes(parse(readFileSync(`${folder}${file}`, 'utf8')));
    t.equal(fits, true, `${file}: ${JSON.stringify(takes.errors)}`);
  }
});
