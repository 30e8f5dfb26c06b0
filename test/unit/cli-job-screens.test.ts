/** What the job commands print. */
import t from 'tap';
import { executionPage, historyPage, jobPage, jobReply } from '../../cli/api/models.ts';
import { description } from '../../cli/commands/job-describe.ts';
import { jobTable } from '../../cli/commands/job-list.ts';
import { executionTable } from '../../cli/commands/job-executions.ts';
import { historyTable } from '../../cli/commands/job-history.ts';

const NOW = Date.parse('2026-04-18T10:33:20Z');
const ns = (secondsAgo: number) => BigInt(NOW - secondsAgo * 1000) * 1_000_000n;

const job = {
  ID: 'j-0193d5a0-1111-7000-8000-0000aabbccdd',
  Name: 'hello',
  Namespace: 'default',
  Type: 'batch',
  Priority: 0,
  Count: 1,
  Labels: { team: 'a', area: 'b' },
  Tasks: [{ Name: 'main', Engine: { Type: 'docker', Params: {} }, Publisher: { Type: '' } }],
  State: { StateType: 'Completed' },
  Version: 1,
  Revision: 3,
  CreateTime: ns(190),
  ModifyTime: ns(180),
};
const unnamed = {
  ...job,
  ID: 'j-0193d5a0-2222-7000-8000-000011223344',
  Name: 'j-0193d5a0-2222-7000-8000-000011223344',
  Type: 'ops',
  Labels: null,
  State: { StateType: 'Queued', Message: 'no node has room:\n2 asked' },
  CreateTime: ns(5),
};
const executions = [
  {
    ID: 'e-0193d5a0-1111-7000-8000-00000000000a',
    NodeID: 'n-0193d5a0-9999-7000-8000-0000deadbeef',
    JobID: job.ID,
    DesiredState: { StateType: 2 },
    ComputeState: { StateType: 10, Message: 'exit 7' },
    RunOutput: { Stdout: '', stderr: 'no such\u001b[2J file\n', ExitCode: 7, ErrorMsg: '' },
    CreateTime: ns(190),
    ModifyTime: ns(189),
  },
  {
    ID: 'e-0193d5a0-1111-7000-8000-00000000000b',
    NodeID: 'n-b',
    JobID: job.ID,
    PartitionIndex: 1,
    DesiredState: { StateType: 1 },
    ComputeState: { StateType: 6 },
    RunOutput: { Stdout: 'hello\nworld\n', stderr: '', ExitCode: 0, ErrorMsg: '' },
    CreateTime: ns(60),
    ModifyTime: ns(59),
  },
];
const history = [
  {
    SeqNum: 1,
    Type: 'JobLevel',
    Event: { Message: 'Job submitted', Topic: 'Submission', Timestamp: '2026-04-18T10:30:10.5Z' },
    Time: '2026-04-18T10:30:10.5Z',
  },
  {
    SeqNum: 2,
    Type: 'ExecutionLevel',
    ExecutionID: executions[0]?.ID,
    Event: {
      Message: 'exit 7',
      Topic: 'Execution',
      Timestamp: '2026-04-18T10:30:11Z',
      Details: { IsError: 'true' },
    },
    Time: '2026-04-18T10:30:11Z',
  },
];

t.test('job list', async (t) => {
  const { Items } = jobPage.parse({ NextToken: '', Items: [unnamed, job] });
  t.equal(
    jobTable(Items, NOW),
    [
      'ID        NAME   ENGINE  TYPE   STATE      AGE  MESSAGE',
      '11223344         docker  ops    Queued     5s   no node has room: 2 asked',
      'aabbccdd  hello  docker  batch  Completed  3m',
    ].join('\n'),
  );
});

t.test('job executions and history', async (t) => {
  t.equal(
    executionTable(executionPage.parse({ NextToken: '', Items: executions }).Items, NOW),
    [
      'ID        NODE      PART  STATE    EXIT  AGE  MESSAGE',
      '0000000a  deadbeef  0     failed   7     3m   exit 7',
      '0000000b  n-b       1     running        60s',
    ].join('\n'),
  );
  t.equal(
    historyTable(historyPage.parse({ NextToken: '', Items: history }).Items),
    [
      'TIME          EXECUTION  TOPIC       EVENT',
      '10:30:10.500             Submission  Job submitted',
      '10:30:11.000  0000000a   Execution   Error: exit 7',
    ].join('\n'),
  );
});

t.test('an execution that is prepared says how far it is', async (t) => {
  const [, second] = executions;
  const Progress = { kind: 'image', item: 'busybox:1', doneBytes: 12e6, totalBytes: 40e6 };
  const preparing = { ...second, ComputeState: { StateType: 5 }, Limpet: { Progress } };
  const { Items } = executionPage.parse({ NextToken: '', Items: [preparing] });
  t.equal(
    executionTable(Items, NOW),
    [
      'ID        NODE  PART  STATE     EXIT  AGE  MESSAGE',
      '0000000b  n-b   1     accepted        60s  preparing: image busybox:1 12 of 40 MB (30 %)',
    ].join('\n'),
  );
});

t.test('job describe', async (t) => {
  const reply = jobReply.parse({
    Job: job,
    Executions: { NextToken: '', Items: executions },
    History: { NextToken: '', Items: history },
  });
  t.equal(
    description(reply, NOW),
    `ID        j-0193d5a0-1111-7000-8000-0000aabbccdd (aabbccdd)
Name      hello
Type      batch
Engine    docker
Count     1
Labels    area=b team=a
State     Completed
Version   1
Created   2026-04-18 10:30:10
Modified  2026-04-18 10:30:20

Executions
  ID        NODE      PART  STATE    EXIT  AGE  MESSAGE
  0000000a  deadbeef  0     failed   7     3m   exit 7
  0000000b  n-b       1     running        60s

Output
  hello
  world

History
  TIME          EXECUTION  TOPIC       EVENT
  10:30:10.500             Submission  Job submitted
  10:30:11.000  0000000a   Execution   Error: exit 7`,
  );
  const failed = jobReply.parse({
    Job: job,
    Executions: { NextToken: '', Items: executions.slice(0, 1) },
  });
  t.match(description(failed, NOW), /\nErrors\n {2}no such·\[2J file$/);
});
