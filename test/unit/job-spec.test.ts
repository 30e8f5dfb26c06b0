import t from 'tap';
import { leaseOf, restartRule } from '../../core/job-restart.ts';
import { parseJobSpec, parseTask } from '../../core/job-spec.ts';

const engine = { Type: 'docker', Params: { Image: 'busybox:1.37.0' } };
const task = { Name: 'main', Engine: engine };
const job = { Type: 'batch', Tasks: [task] };

function strict(data: unknown) {
  return parseJobSpec(data, 'strict').spec;
}

function withTask(more: object) {
  return { ...job, Tasks: [{ ...task, ...more }] };
}

t.test('a minimal job gets the defaults', async (t) => {
  t.same(strict(job), {
    Namespace: 'default',
    Type: 'batch',
    Priority: 0,
    Count: 1,
    Constraints: [],
    Meta: {},
    Labels: {},
    Tasks: [
      {
        Name: 'main',
        Engine: engine,
        Resources: { CPU: '500m', Memory: '512mb' },
        Network: { Type: 'none' },
        Timeouts: { ExecutionTimeout: 3600 },
      },
    ],
  });
});

t.test('structural keys match without regard to case, data keys keep theirs', async (t) => {
  const spec = strict({
    NAME: 'x',
    type: 'batch',
    labels: { Team: 'a', team: 'b' },
    meta: { Who: 'me' },
    tasks: [
      {
        name: 'main',
        engine: { TYPE: ' Docker ', params: { image: 'busybox', Parameters: ['a'] } },
        env: { PORT: '80' },
        resources: { cpu: '1', memory: '1 Gi', GPU: '1' },
        timeouts: { executiontimeout: 5 },
        inputsources: [
          { source: { type: 'localDirectory', params: { SourcePath: '/d' } }, target: '/in' },
          {
            source: { type: 'urlDownload', params: { URL: 'https://example.org/a' } },
            target: '/b',
            alias: 'b',
          },
        ],
        publisher: { type: 'LOCAL' },
        resultpaths: [{ name: 'out', path: '/out' }],
      },
    ],
  });
  t.same(spec.Labels, { Team: 'a', team: 'b' });
  t.same(spec.Meta, { Who: 'me' });
  t.equal(spec.Name, 'x');
  t.same(spec.Tasks[0], {
    Name: 'main',
    Engine: { Type: 'docker', Params: { image: 'busybox', Parameters: ['a'] } },
    Env: { PORT: '80' },
    Resources: { CPU: '1', Memory: '1gi', GPU: '1' },
    Network: { Type: 'none' },
    Timeouts: { ExecutionTimeout: 5 },
    InputSources: [
      { Source: { Type: 'local', Params: { SourcePath: '/d' } }, Target: '/in' },
      {
        Source: { Type: 'url', Params: { URL: 'https://example.org/a' } },
        Target: '/b',
        Alias: 'b',
      },
    ],
    Publisher: { Type: 'local' },
    ResultPaths: [{ Name: 'out', Path: '/out' }],
  });
});

t.test('what the Bacalhau client sends is taken, zero values and nulls included', async (t) => {
  const sent = {
    ID: '',
    Name: '',
    Namespace: 'default',
    Type: 'batch',
    Priority: 0,
    Count: 1,
    Constraints: null,
    Meta: null,
    Labels: {},
    Tasks: [
      {
        Name: 'main',
        Engine: { Type: 'docker', Params: { Entrypoint: null, Image: 'ubuntu' } },
        Publisher: null,
        Resources: {},
        Timeouts: {},
      },
    ],
    State: { StateType: 'Undefined' },
    Version: 0,
    Revision: 0,
    CreateTime: 0,
    ModifyTime: 0,
  };
  const { spec, warnings } = parseJobSpec(sent, 'lenient');
  t.same(warnings, []);
  t.notOk('Name' in spec);
  t.notOk('Publisher' in spec.Tasks[0]);
  t.same(spec.Tasks[0].Timeouts, { ExecutionTimeout: 3600 });
});

t.test('over HTTP odd keys and system fields are warnings', async (t) => {
  const { spec, warnings } = parseJobSpec(
    {
      ...withTask({ Enw: { A: 'b' }, Publisher: { Type: '' } }),
      ID: 'j-1',
      State: { StateType: 'Running' },
      Version: 3,
      CreateTime: 17,
      Meta: { 'bacalhau.org/requester.id': 'n', mine: 'yes' },
    },
    'lenient',
  );
  t.same(warnings, [
    'job ID is ignored when submitting a batch job',
    'job state is ignored when submitting a job',
    'job version is ignored when submitting a job',
    'job create time is ignored when submitting a job',
    'unknown key Tasks[0].Enw; did you mean Env?',
    'job meta key "bacalhau.org/requester.id" is reserved and will be ignored',
  ]);
  t.same(spec.Meta, { mine: 'yes' });
  t.notOk('Publisher' in spec.Tasks[0]);
});

t.test('counts and timeouts by job type', async (t) => {
  t.equal(strict({ ...job, Count: 0 }).Count, 0, 'an explicit 0 runs nothing');
  t.equal(strict({ ...job, Type: 'ops', Count: 1 }).Count, 0, 'ops runs on every matching node');
  t.same(
    strict({ ...job, Type: 'service' }).Tasks[0].Timeouts,
    {},
    'a service is not bounded in time',
  );
  t.same(strict(withTask({ Timeouts: { ExecutionTimeout: 0 } })).Tasks[0].Timeouts, {
    ExecutionTimeout: 0,
  });
  const total = strict(withTask({ Timeouts: { TotalTimeout: 60 } })).Tasks[0].Timeouts;
  t.same(total, { TotalTimeout: 60 }, 'a total timeout takes the place of the default');
});

t.test('network', async (t) => {
  const network = (value: unknown) => strict(withTask({ Network: value })).Tasks[0].Network;
  t.same(network({ Type: 'Full' }), { Type: 'host' });
  t.same(network({ Type: 'HTTP', Domains: ['.Example.org'] }), {
    Type: 'http',
    Domains: ['.example.org'],
  });
  t.same(network({ type: 'bridge', ports: [{ name: 'web', static: 8080, target: 80 }] }), {
    Type: 'bridge',
    Ports: [{ Name: 'web', Static: 8080, Target: 80 }],
  });
  t.same(network({}), { Type: 'none' });
});

t.test('a parsed task parses to itself, and with strict keys', async (t) => {
  const [parsed] = strict(withTask({ Network: { Type: 'Full' }, Resources: { CPU: '1' } })).Tasks;
  t.same(parseTask(JSON.parse(JSON.stringify(parsed)), 'batch'), parsed);
  t.throws(() => parseTask({ ...parsed, Oops: 1 }, 'batch'), { code: 'invalid-job' });
});

t.test('how often a run is tried again depends on the kind, unless the job says so', async (t) => {
  const times = { delayMs: 1_000, maxDelayMs: 60_000, resetAfterMs: 300_000 };
  t.same(restartRule('batch'), { attempts: 0, ...times });
  t.same(restartRule('ops'), { attempts: 0, ...times });
  t.same(restartRule('service'), times, 'without an end');
  const spec = strict({
    ...job,
    Type: 'daemon',
    restartpolicy: { attempts: 3, DELAY: '2 S', maxdelay: '1m', ResetAfter: '1.5h' },
  });
  t.same(restartRule(spec.Type, spec.RestartPolicy), {
    attempts: 3,
    delayMs: 2_000,
    maxDelayMs: 60_000,
    resetAfterMs: 5_400_000,
  });
  t.notOk('attempts' in restartRule('batch', { Attempts: 'unlimited' }));
  t.match(restartRule('batch', { Delay: '2m' }), { delayMs: 120_000, maxDelayMs: 120_000 });
});

t.test('work goes on without its requester, unless the job says for how long', async (t) => {
  t.equal(leaseOf(strict(job)), undefined);
  t.equal(leaseOf(strict({ ...job, Disconnect: 'keep' })), undefined);
  t.equal(leaseOf(strict({ ...job, disconnect: { stopAfter: '3m' } })), 180_000);
});

t.test('a restart policy that was parsed is parsed to the same', async (t) => {
  const once = strict({
    ...job,
    RestartPolicy: { Attempts: 'unlimited', Delay: '500 MS' },
    Disconnect: { StopAfter: '3M' },
  });
  t.same(strict(once), once);
});
