import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { LogFrame } from '../../wire/log-frames.ts';
import { startDist } from '../kit/program.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { event, fakeRequester, FINISHED, frame, source } from './cli-fake-requester.ts';
import { EXECUTION, JOB, limpet } from './cli-run.ts';

t.setTimeout(240_000);

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

function log(kind: 'stdout' | 'stderr', offset: number, text: string): LogFrame {
  return frame(kind, text, { offset });
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
        { frames: [source(), log('stdout', 0, 'one\n'), log('stderr', 4, 'oh\n')], breakOff: true },
        {
          frames: [
            source(),
            log('stdout', 0, 'one\n'),
            log('stderr', 4, 'oh\n'),
            log('stdout', 7, 'two\n'),
            FINISHED,
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
