import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create } from 'tar';
import t from 'tap';
import { startDist } from '../kit/program.ts';
import type { Teardown } from '../kit/teardown.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { event, fakeRequester } from './cli-fake-requester.ts';
import type { FakeRequester } from './cli-fake-requester.ts';

const JOB = 'j-0193d5a0-1111-7000-8000-0000aabbccdd';
const EXECUTION = 'e-0193d5a0-1111-7000-8000-00000000000a';
const jobs = fileURLToPath(new URL('../../fixtures/jobs/', import.meta.url));

const submitted = { json: { JobID: JOB, EvaluationID: 'v', Warnings: null } };

function state(name: string, executions: readonly object[] = []): string {
  return event({ job: { id: JOB, state: name, message: '' }, executions });
}

function execution(name: string, code?: number): object {
  const outcome = code === undefined ? {} : { outcome: { by: 'exit', code, reason: '' } };
  return {
    id: EXECUTION,
    nodeId: 'n-1',
    partition: 0,
    attempt: 0,
    state: name,
    run: 0,
    reason: '',
    ...outcome,
  };
}

function log(offset: number, stream: string, text: string): string {
  const data = Buffer.from(text).toString('base64');
  return event({ executionId: EXECUTION, nodeId: 'n-1', stream, timeMs: 1, offset, data });
}

const end = event({ code: 'finished', message: '' }, 'end');

async function limpet(
  t: Teardown,
  requester: FakeRequester | undefined,
  args: string[],
  input = '',
) {
  const env = {
    LIMPET_DATA: join(tempDir(t), 'none'),
    LIMPET_API: requester?.url,
    LIMPET_TOKEN: 'secret',
  };
  const program = await startDist(t, 'limpet', { args, env, input });
  const { code } = await program.waitForExit(20_000);
  return { code, stdout: program.stdout, stderr: program.stderr };
}

t.test(
  'job run sends the file as written, with the token, and tells what to do next',
  async (t) => {
    const requester = await fakeRequester(t, { 'PUT /orchestrator/jobs': submitted });
    const { code, stdout, stderr } = await limpet(t, requester, [
      'job',
      'run',
      join(jobs, 'hello-docker.yaml'),
    ]);
    t.equal(stderr, '');
    t.equal(code, 0);
    t.equal(
      stdout,
      `job aabbccdd submitted (${JOB})
  limpet job describe aabbccdd    what became of it
  limpet job logs -f aabbccdd     its output
`,
    );
    const [put] = requester.seen;
    t.equal(put?.authorization, 'Bearer secret');
    t.match(put?.body, {
      Job: { Name: 'hello', Tasks: [{ Resources: { CPU: '250m', Memory: '64Mb' } }] },
    });
  },
);

t.test(
  'job run --wait ends with the exit code of the job, over a requester that goes away',
  async (t) => {
    const requester = await fakeRequester(t, {
      'PUT /orchestrator/jobs': { json: { JobID: JOB, EvaluationID: '', Warnings: ['odd key'] } },
      [`GET /limpet/jobs/${JOB}/watch`]: [
        { events: [state('Running', [execution('running')])], breakOff: true },
        {
          events: [
            state('Running', [execution('running')]),
            state('Failed', [execution('failed', 7)]),
          ],
        },
      ],
    });
    const args = ['job', 'run', '-', '--wait', '--id-only'];
    const file = readFileSync(join(jobs, 'wasm-ops.json'), 'utf8');
    const { code, stdout, stderr } = await limpet(t, requester, args, file);
    t.equal(code, 7);
    t.equal(stdout, `${JOB}\n`);
    t.match(stderr, /^warning: odd key$/m);
    t.match(stderr, /^job aabbccdd {2}[\d.]+s {2}running \(running\)$/m);
    t.match(stderr, /waiting for it$/m);
    t.match(stderr, /^job aabbccdd failed after [\d.]+s: exit 7$/m);
  },
);

t.test('Ctrl-C leaves the job alone and says how to find it', async (t) => {
  const requester = await fakeRequester(t, {
    'PUT /orchestrator/jobs': submitted,
    [`GET /limpet/jobs/${JOB}/watch`]: {
      events: [state('Running', [execution('running')])],
      stayOpen: true,
    },
  });
  const program = await startDist(t, 'limpet', {
    args: ['job', 'run', join(jobs, 'hello-docker.yaml'), '--wait', '--api', requester.url],
    env: { LIMPET_DATA: tempDir(t) },
  });
  await program.waitFor(/running \(running\)/);
  program.signal('SIGINT');
  t.same(await program.waitForExit(), { code: 130, signal: null });
  t.match(
    program.stderr,
    /^error: no longer waiting; the job goes on: `limpet job describe aabbccdd`$/m,
  );
  t.same(
    requester.seen.map(({ method }) => method),
    ['PUT', 'GET'],
    'nothing was stopped',
  );
});

t.test('job run --output json is one JSON value', async (t) => {
  const requester = await fakeRequester(t, {
    'PUT /orchestrator/jobs': submitted,
    [`GET /limpet/jobs/${JOB}/watch`]: {
      events: [state('Completed', [execution('completed', 0)])],
    },
  });
  const args = ['job', 'run', join(jobs, 'hello-docker.yaml'), '--wait', '-o', 'json'];
  const { code, stdout } = await limpet(t, requester, args);
  t.equal(code, 0);
  t.match(JSON.parse(stdout), { JobID: JOB, exitCode: 0, job: { state: 'Completed' } });
});

t.test(
  'docker run shows the output once, whole, each stream on its own, when the stream breaks',
  async (t) => {
    const requester = await fakeRequester(t, {
      'PUT /orchestrator/jobs': submitted,
      [`GET /limpet/jobs/${JOB}/watch`]: {
        events: [state('Completed', [execution('completed', 0)])],
      },
      [`GET /limpet/jobs/${JOB}/logs`]: [
        { events: [log(0, 'stdout', 'one\n'), log(4, 'stderr', 'oh\n')], breakOff: true },
        {
          events: [
            log(0, 'stdout', 'one\n'),
            log(4, 'stderr', 'oh\n'),
            log(7, 'stdout', 'two\n'),
            end,
          ],
        },
      ],
    });
    const args = [
      'docker',
      'run',
      '-e',
      'A=b=c',
      '--timeout',
      '2m',
      '-r',
      'out:/out',
      'busybox',
      'wc',
      '-w',
    ];
    const { code, stdout, stderr } = await limpet(t, requester, args);
    t.equal(code, 0);
    t.equal(stdout, 'one\ntwo\n');
    t.equal(stderr.match(/^oh$/gm)?.length, 1);
    t.match(requester.seen[0]?.body, {
      Job: {
        Type: 'batch',
        Tasks: [
          {
            Engine: { Type: 'docker', Params: { Image: 'busybox', Parameters: ['wc', '-w'] } },
            Env: { A: 'b=c' },
            Publisher: { Type: 'local' },
            ResultPaths: [{ Name: 'out', Path: '/out' }],
            Timeouts: { ExecutionTimeout: 120 },
          },
        ],
      },
    });
  },
);

t.test('wasm run carries the module of this machine in the job', async (t) => {
  const requester = await fakeRequester(t, { 'PUT /orchestrator/jobs': submitted });
  const module = join(tempDir(t), 'tiny.wasm');
  const bytes = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  writeFileSync(module, bytes);
  const { code } = await limpet(t, requester, ['wasm', 'run', '-d', module, '--', '--flag', 'x']);
  t.equal(code, 0);
  t.match(requester.seen[0]?.body, {
    Job: {
      Tasks: [
        {
          Engine: { Params: { EntryModule: 'main.wasm', Entrypoint: '_start' } },
          InputSources: [
            {
              Source: {
                Params: { URL: `data:application/wasm;base64,${bytes.toString('base64')}` },
              },
              Target: 'main.wasm',
            },
          ],
        },
      ],
    },
  });
  writeFileSync(module, 'not a module');
  const refused = await limpet(t, requester, ['wasm', 'run', module]);
  t.equal(refused.stderr, `error: ${module} is not a WebAssembly module\n`);
  t.equal(requester.seen.length, 1, 'nothing was sent');
});

const listed = {
  json: `{"NextToken":"","Items":[
    {"ID":"${JOB}","Name":"hello","Type":"batch","Tasks":[],"State":{"StateType":"Running"},"CreateTime":1776500000000000001},
    {"ID":"j-0193d5a0-2222-7000-8000-0000aabb0000","Name":"other","Type":"batch","Tasks":[],"State":{"StateType":"Running"}}
  ]}`,
};

t.test('ids match by a beginning or an end, names whole', async (t) => {
  const requester = await fakeRequester(t, {
    'GET /orchestrator/jobs': listed,
    [`DELETE /orchestrator/jobs/${JOB}`]: [
      { json: { EvaluationID: 'v' } },
      { json: { EvaluationID: '' } },
    ],
  });
  const byEnd = await limpet(t, requester, ['job', 'stop', 'ccdd', '--reason', 'enough']);
  t.equal(byEnd.stdout, 'job aabbccdd is stopping\n');
  t.same(requester.seen.at(-1)?.body, { reason: 'enough' });
  const byName = await limpet(t, requester, ['job', 'stop', 'hello']);
  t.equal(byName.stdout, 'job aabbccdd was stopped already\n');
  const both = await limpet(t, requester, ['job', 'describe', 'j-0193']);
  t.equal(both.code, 1);
  t.equal(both.stderr, "error: 'j-0193' matches 2 jobs: aabbccdd, aabb0000; type more of the id\n");
  const none = await limpet(t, requester, ['job', 'describe', 'zzz']);
  t.equal(none.stderr, "error: no job matches 'zzz'; see `limpet job list`\n");
});

t.test('job list -o json keeps every digit of a time', async (t) => {
  const requester = await fakeRequester(t, { 'GET /orchestrator/jobs': listed });
  const { stdout } = await limpet(t, requester, ['job', 'list', '-o', 'json']);
  t.match(stdout, /"CreateTime": 1776500000000000001\b/);
});

t.test('job get unpacks the results into a new folder', async (t) => {
  const folder = tempDir(t);
  mkdirSync(join(folder, 'made', 'outputs'), { recursive: true });
  writeFileSync(join(folder, 'made', 'stdout'), 'hello\n');
  writeFileSync(join(folder, 'made', 'outputs', 'count'), '42\n');
  await create({ gzip: true, cwd: join(folder, 'made'), file: join(folder, 'a.tar.gz') }, ['.']);
  const archive = readFileSync(join(folder, 'a.tar.gz'));
  const url = `/api/v1/limpet/executions/${EXECUTION}/result.tar.gz`;
  const requester = await fakeRequester(t, {
    [`GET /orchestrator/jobs/${JOB}/results`]: {
      json: { NextToken: '', Items: [{ Type: 'urlDownload', Params: { URL: `${url}?sig=x` } }] },
    },
    [`GET /limpet/executions/${EXECUTION}/result.tar.gz`]: [
      { bytes: archive },
      { bytes: archive.subarray(0, 100) },
    ],
  });
  const target = join(folder, 'got');
  const got = await limpet(t, requester, ['job', 'get', JOB, '--output-dir', target]);
  t.equal(got.stderr, '');
  t.equal(got.stdout, `results in ${target}:\n  outputs/count\n  stdout\n`);
  t.equal(readFileSync(join(target, 'outputs', 'count'), 'utf8'), '42\n');
  const again = await limpet(t, requester, ['job', 'get', JOB, '--output-dir', target]);
  t.equal(again.code, 1);
  t.match(again.stderr, /^error: .* is there already; choose another with --output-dir\n$/);
  const torn = await limpet(t, requester, [
    'job',
    'get',
    JOB,
    '--output-dir',
    join(folder, 'torn'),
  ]);
  t.equal(torn.code, 1);
  t.match(torn.stderr, /^error: the results could not be fetched: .*\n$/);
});

t.test('every refusal is one line', async (t) => {
  const refuse = (status: number, Message: string, Hint?: string) => ({
    status,
    json: { Status: status, Message, Code: 'x', Component: 'y', RequestID: '', Hint },
  });
  const requester = await fakeRequester(t, {
    'GET /orchestrator/jobs': [
      refuse(500, 'it broke\nbadly', 'try later'),
      refuse(401, 'unauthorized'),
      { json: '<html>' },
      { json: { Items: 'none' } },
    ],
  });
  const list = async () => limpet(t, requester, ['job', 'list']);
  t.equal((await list()).stderr, 'error: it broke badly; try later\n');
  t.match(
    (await list()).stderr,
    /^error: http:\S+ does not accept this token; set LIMPET_TOKEN\n$/,
  );
  t.match(
    (await list()).stderr,
    /^error: http:\S+ did not answer with JSON; is it a requester\?\n$/,
  );
  t.match(
    (await list()).stderr,
    /^error: http:\S+ answered GET orchestrator\/jobs in an unknown form: Items: .*\n$/,
  );
  const gone = await limpet(t, { url: 'http://127.0.0.1:1', seen: [] }, ['job', 'list']);
  t.equal(gone.code, 1);
  t.equal(
    gone.stderr,
    'error: no requester answers at http://127.0.0.1:1: connection refused; start one with `limpet dev`, or name another with --api\n',
  );
});
