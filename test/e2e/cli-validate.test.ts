import { readdirSync } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { run } from '../../cli/run.ts';

const folder = fileURLToPath(new URL('../../fixtures/jobs/', import.meta.url));

async function validate(file: string, ...more: string[]) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const exitCode = await run(['job', 'validate', file, ...more], {
    env: {},
    stdin: Readable.from(['Type: batch\nTasks: [{Name: a, Engine: {Type: wasm}}]\n']),
    stdout,
    stderr,
    now: () => 0,
  });
  return { exitCode, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
}

for (const name of readdirSync(folder).filter((file) => /\.(ya?ml|json)$/.test(file))) {
  t.test(`${name} is a job`, async (t) => {
    t.same(await validate(`${folder}${name}`), { exitCode: 0, stdout: 'OK\n', stderr: '' });
  });
}

t.test('stdin is a job file too', async (t) => {
  t.equal((await validate('-')).stdout, 'OK\n');
});

t.test('a file of Bacalhau means here what it meant there', async (t) => {
  const { stdout } = await validate(`${folder}bacalhau-inputs.yaml`, '-o', 'json');
  const spec = JSON.parse(stdout);
  t.match(spec, {
    Name: 'word count',
    Count: 3,
    Labels: { team: 'Search', keepCase: 'yes' },
    Tasks: [
      {
        Engine: { Type: 'docker', Params: { WorkingDirectory: '/inputs' } },
        InputSources: [
          { Source: { Type: 'local', Params: { ReadWrite: true } }, Alias: 'texts' },
          { Source: { Type: 'url' } },
          { Source: { Type: 'inline' } },
        ],
        Resources: { CPU: '1', Memory: '1gib', Disk: '10gb' },
        Network: { Type: 'http', Domains: ['example.org', '.example.com'] },
        Timeouts: { ExecutionTimeout: 600, QueueTimeout: 300, TotalTimeout: 900 },
      },
    ],
  });
});

const bad: Readonly<Record<string, string>> = {
  'unknown-field.yaml': 'unknown key Tasks[0].Resouces; did you mean Resources?',
  'number-as-cpu.yaml':
    'Tasks[0].Resources.CPU is the number 1; expected cores such as 0.5 or 500m, in quotes',
  'two-tasks.yaml': 'Tasks is a list of 2; expected a list of exactly one task',
  'described.yaml':
    'ID is "j-0193d5a0-0000-7000-8000-000000000001"; the requester sets it, a job file must not',
  'not-yaml.job':
    'not YAML or JSON: Flow sequence in block collection must be sufficiently indented and end with a ] at line 3, column 1',
  'key-twice.job': 'not YAML or JSON: Map keys must be unique at line 2, column 1',
  'two-documents.yaml': 'the file holds several documents; expected one job',
  'empty.yaml': 'the job is missing; expected a mapping with Name, Type and Tasks',
};

t.same(
  readdirSync(`${folder}bad`).sort(),
  Object.keys(bad).sort(),
  'each bad file is expected below',
);

for (const [name, message] of Object.entries(bad)) {
  t.test(`bad/${name} is refused in one line`, async (t) => {
    const file = `${folder}bad/${name}`;
    t.same(await validate(file), {
      exitCode: 1,
      stdout: '',
      stderr: `error: ${file}: ${message}\n`,
    });
  });
}

t.test('no file, and a folder', async (t) => {
  t.same(await validate('/no/such/file'), {
    exitCode: 1,
    stdout: '',
    stderr: 'error: there is no file /no/such/file\n',
  });
  t.equal((await validate(folder)).stderr, `error: ${folder} is a folder; expected a job file\n`);
});
