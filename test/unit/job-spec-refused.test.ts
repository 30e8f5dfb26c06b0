import t from 'tap';
import { LimpetError } from '../../core/errors.ts';
import { parseJobSpec } from '../../core/job-spec.ts';

const task = { Name: 'main', Engine: { Type: 'docker', Params: { Image: 'busybox' } } };
const job = { Type: 'batch', Tasks: [task] };

function withTask(more: object) {
  return { ...job, Tasks: [{ ...task, ...more }] };
}

function refusal(data: unknown): string {
  try {
    parseJobSpec(data, 'strict');
  } catch (error) {
    if (error instanceof LimpetError && error.code === 'invalid-job') return error.message;
    throw error;
  }
  return 'accepted';
}

const cases: readonly (readonly [string, unknown, string])[] = [
  ['no job', null, 'the job is missing; expected a mapping with Name, Type and Tasks'],
  ['a list', [1], 'the job is a list of 1; expected a mapping with Name, Type and Tasks'],
  [
    'no type',
    { Tasks: [task] },
    'Type is missing; expected one of batch, ops, service, daemon (lower case)',
  ],
  [
    'odd type',
    { ...job, Type: 'Batch' },
    'Type is "Batch"; expected one of batch, ops, service, daemon (lower case)',
  ],
  [
    'a download of nothing',
    withTask({ InputSources: [{ Source: { Type: 'urlDownload', Params: {} }, Target: '/in' }] }),
    'Tasks[0].InputSources[0].Source.Params.URL is missing; expected a URL, http:// or https://',
  ],
  [
    'odd attempts',
    { ...job, RestartPolicy: { Attempts: -1 } },
    'RestartPolicy.Attempts is the number -1; expected a whole number from 0 to 1000000, or unlimited',
  ],
  [
    'a delay without a unit',
    { ...job, RestartPolicy: { Delay: 5 } },
    'RestartPolicy.Delay is the number 5; expected a time from 100ms to 24h such as 1s, as text',
  ],
  [
    'no delay at all',
    { ...job, RestartPolicy: { Delay: '0s' } },
    'RestartPolicy.Delay is "0s"; expected a time from 100ms to 24h such as 1s',
  ],
  [
    'a bound below the first delay',
    { ...job, RestartPolicy: { Delay: '5s', MaxDelay: '1s' } },
    'RestartPolicy.MaxDelay is "1s"; expected at least the Delay of 5s',
  ],
  [
    'unknown key of the restart policy',
    { ...job, RestartPolicy: { Attempt: 1 } },
    'unknown key RestartPolicy.Attempt; did you mean Attempts?',
  ],
  [
    'odd disconnect',
    { ...job, Disconnect: 'stop' },
    'Disconnect is "stop"; expected keep, or a mapping with StopAfter such as {StopAfter: 3m}',
  ],
  [
    'a lease too short to be kept',
    { ...job, Disconnect: { StopAfter: '10ms' } },
    'Disconnect.StopAfter is "10ms"; expected a time from 1s to 24h such as 3m',
  ],
  ['no tasks', { Type: 'batch' }, 'Tasks is missing; expected a list of exactly one task'],
  ['no task', { ...job, Tasks: [] }, 'Tasks is a list of 0; expected a list of exactly one task'],
  [
    'two tasks',
    { ...job, Tasks: [task, task] },
    'Tasks is a list of 2; expected a list of exactly one task',
  ],
  [
    'a null task',
    { ...job, Tasks: [null] },
    'Tasks[0] is null; expected a mapping with Name and Engine',
  ],
  [
    'unnamed task',
    { ...job, Tasks: [{ ...task, Name: '' }] },
    'Tasks[0].Name is missing; expected a string (numbers and true or false need quotes)',
  ],
  ['near key', withTask({ Enginee: {} }), 'unknown key Tasks[0].Enginee; did you mean Engine?'],
  [
    'far key',
    { ...job, Colour: 1 },
    'unknown key Colour; known here: Name, Namespace, Type, Priority, Count, Constraints, Meta, Labels, RestartPolicy, Disconnect, Tasks',
  ],
  ['key twice', { ...job, type: 'ops' }, 'type is there twice; keep one'],
  ['own id', { ...job, ID: 'j-1' }, 'ID is "j-1"; the requester sets it, a job file must not'],
  ['text count', { ...job, Count: '3' }, 'Count is "3"; expected a whole number from 0 to 100000'],
  [
    'half a count',
    { ...job, Count: 0.5 },
    'Count is the number 0.5; expected a whole number from 0 to 100000',
  ],
  [
    'negative count',
    { ...job, Count: -1 },
    'Count is the number -1; expected a whole number from 0 to 100000',
  ],
  [
    'count of a daemon',
    { ...job, Type: 'daemon', Count: 2 },
    'Count is the number 2; expected no Count: daemon runs once on each matching node',
  ],
  [
    'number as label',
    { ...job, Labels: { v: 1 } },
    'Labels.v is the number 1; expected a string (numbers and true or false need quotes)',
  ],
  [
    'number as CPU',
    withTask({ Resources: { CPU: 1 } }),
    'Tasks[0].Resources.CPU is the number 1; expected cores such as 0.5 or 500m, in quotes',
  ],
  [
    'odd CPU',
    withTask({ Resources: { CPU: '0.5m' } }),
    'Tasks[0].Resources.CPU is "0.5m"; expected cores such as 0.5 or 500m',
  ],
  [
    'odd memory',
    withTask({ Resources: { Memory: '1 potato' } }),
    'Tasks[0].Resources.Memory is "1 potato"; expected a number and a unit such as 512Mb or 1Gi',
  ],
  [
    'odd GPU',
    withTask({ Resources: { GPU: '0.5' } }),
    'Tasks[0].Resources.GPU is "0.5"; expected a count of devices such as 1',
  ],
  [
    'blank engine',
    withTask({ Engine: { Type: ' ' } }),
    'Tasks[0].Engine.Type is " "; expected a type such as docker, wasm or process',
  ],
  [
    'no engine',
    { ...job, Tasks: [{ Name: 'm' }] },
    'Tasks[0].Engine is missing; expected a mapping with Type (such as docker, wasm or process) and Params',
  ],
  [
    'list as params',
    withTask({ Engine: { Type: 'wasm', Params: [] } }),
    'Tasks[0].Engine.Params is a list of 0; expected a mapping',
  ],
  [
    'number in env',
    withTask({ Env: { PORT: 8080 } }),
    'Tasks[0].Env.PORT is the number 8080; expected a string (numbers and true or false need quotes)',
  ],
  [
    'lower-case env',
    withTask({ Env: { port: '1' } }),
    'Tasks[0].Env.port is "port"; expected a name of upper-case letters, digits and _, a letter first',
  ],
  [
    'reserved env',
    withTask({ Env: { BACALHAU_X: '1' } }),
    'Tasks[0].Env.BACALHAU_X is "BACALHAU_X"; expected a name that does not begin with BACALHAU_',
  ],
  [
    'empty env',
    withTask({ Env: { X: '' } }),
    'Tasks[0].Env.X is ""; expected a value that is not empty and without NUL',
  ],
  [
    'results without publisher',
    withTask({ ResultPaths: [{ Name: 'o', Path: '/o' }] }),
    'Tasks[0].Publisher is missing; expected a publisher such as {Type: local}, as ResultPaths are given',
  ],
  [
    'relative result',
    withTask({ Publisher: { Type: 'local' }, ResultPaths: [{ Name: 'o', Path: 'o' }] }),
    'Tasks[0].ResultPaths[0].Path is "o"; expected an absolute path such as /outputs',
  ],
  [
    'result named as a folder up',
    withTask({ Publisher: { Type: 'local' }, ResultPaths: [{ Name: '../o', Path: '/o' }] }),
    'Tasks[0].ResultPaths[0].Name is "../o"; expected a folder name other than stdout, stderr, exitCode',
  ],
  [
    'target twice',
    withTask({
      InputSources: [
        { Source: { Type: 'inline' }, Target: '/a' },
        { Source: { Type: 'inline' }, Target: '/a' },
      ],
    }),
    'Tasks[0].InputSources[1].Target is "/a"; expected a value that no other item has',
  ],
  [
    'alias twice',
    withTask({
      InputSources: [
        { Source: { Type: 'inline' }, Target: '/a', Alias: 'x' },
        { Source: { Type: 'inline' }, Target: '/b', Alias: 'x' },
      ],
    }),
    'Tasks[0].InputSources[1].Alias is "x"; expected a value that no other item has',
  ],
  [
    'no target',
    withTask({ InputSources: [{ Source: { Type: 'inline' } }] }),
    'Tasks[0].InputSources[0].Target is missing; expected a string (numbers and true or false need quotes)',
  ],
  [
    'odd network',
    withTask({ Network: { Type: 'wifi' } }),
    'Tasks[0].Network.Type is "wifi"; expected none, default, host (or full), bridge or http',
  ],
  [
    'domains without http',
    withTask({ Network: { Type: 'host', Domains: ['a.b'] } }),
    'Tasks[0].Network.Domains is a list of 1; expected no domains with Type host; they need Type http',
  ],
  [
    'ports without network',
    withTask({ Network: { Ports: [{ Name: 'a' }] } }),
    'Tasks[0].Network.Ports is a list of 1; expected no ports with Type none; they need host or bridge',
  ],
  [
    'low port',
    withTask({ Network: { Type: 'host', Ports: [{ Name: 'a', Static: 80 }] } }),
    'Tasks[0].Network.Ports[0].Static is the number 80; expected a host port from 1024 to 65535, or 0 for any',
  ],
  [
    'target on host',
    withTask({ Network: { Type: 'host', Ports: [{ Name: 'a', Target: 80 }] } }),
    'Tasks[0].Network.Ports[0].Target is the number 80; expected no Target with Type host; it needs bridge',
  ],
  [
    'times do not add up',
    withTask({ Timeouts: { ExecutionTimeout: 5, QueueTimeout: 6, TotalTimeout: 10 } }),
    'Tasks[0].Timeouts.TotalTimeout is the number 10; expected at least ExecutionTimeout + QueueTimeout (11)',
  ],
  [
    'duration text',
    withTask({ Timeouts: { TotalTimeout: '10s' } }),
    'Tasks[0].Timeouts.TotalTimeout is "10s"; expected a whole number from 0 to 1000000000',
  ],
  [
    'odd operator',
    { ...job, Constraints: [{ Key: 'a', Operator: 'IN', Values: ['b'] }] },
    'Constraints[0].Operator is "IN"; expected one of in notin = == != exists ! gt lt',
  ],
  [
    'operator without values',
    { ...job, Constraints: [{ Key: 'a', Operator: 'in' }] },
    'Constraints[0] is "a in"; expected at least one value for operator in',
  ],
  [
    'odd label key',
    { ...job, Constraints: [{ Key: '-a', Operator: 'exists' }] },
    'Constraints[0] is "-a exists"; expected a label key, not "-a"',
  ],
  [
    'gt of a word',
    { ...job, Constraints: [{ Key: 'a', Operator: 'gt', Values: ['x'] }] },
    'Constraints[0] is "a gt"; expected an integer for operator gt, not "x"',
  ],
  ['NUL in a name', { ...job, Name: 'a\0b' }, 'Name is "a\\u0000b"; expected a string without NUL'],
];

for (const [name, data, message] of cases) {
  t.test(`refused: ${name}`, async (t) => {
    t.equal(refusal(data), message);
  });
}

t.test('a refusal is one line, whatever was sent', async (t) => {
  const message = refusal(withTask({ Env: { 'A\nB': 'x' }, Name: 'a\nb' }));
  t.notMatch(message, /\n/);
  t.match(refusal({ ...job, ['x'.repeat(5000)]: 1 }), /^unknown key/);
});
