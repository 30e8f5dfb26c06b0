/** What the node and agent commands print, and `limpet dev` when it is ready. */
import t from 'tap';
import { nodePage } from '../../cli/api/models.ts';
import { statusText } from '../../cli/commands/agent-status.ts';
import { nodeText } from '../../cli/commands/node-describe.ts';
import { nodeTable } from '../../cli/commands/node-list.ts';
import { banner } from '../../cli/dev/banner.ts';

const NOW = Date.parse('2026-04-18T10:33:20Z');

t.test('node list and describe', async (t) => {
  const executor = { version: '0.1.0', health: 'healthy', reason: '', recovery: 'complete' };
  const node = {
    Info: {
      NodeID: 'n-0193d5a0-9999-7000-8000-0000deadbeef',
      NodeType: 'Compute',
      BacalhauVersion: { GitVersion: 'v0.1.0' },
      Labels: { region: 'eu' },
      ComputeNodeInfo: {
        ExecutionEngines: ['docker', 'wasm'],
        MaxCapacity: { CPU: 8, Memory: 16e9, Disk: 1e11 },
        AvailableCapacity: { CPU: 7.5, Memory: 15.5e9, Disk: 1e11 },
        RunningExecutions: 1,
      },
    },
    Membership: 'APPROVED',
    Connection: 'CONNECTED',
    ConnectionState: { LastHeartbeat: '2026-04-18T10:33:12Z', LastError: '' },
    Limpet: {
      Name: 'rack-7',
      Scheduling: { state: 'ineligible', reason: 'its operator has drained it' },
      Executors: [
        { ...executor, name: 'docker' },
        { ...executor, name: 'wasm', ParamsSchemaProblem: 'it is no JSON Schema' },
        { ...executor, name: 'flaky', health: 'unhealthy', version: '', reason: 'it ended' },
      ],
    },
  };
  const { Limpet: _, ...other } = node;
  const never = {
    ...other,
    Info: { NodeID: 'n-new', NodeType: 'Compute' },
    Membership: 'PENDING',
    Connection: 'DISCONNECTED',
    ConnectionState: { LastHeartbeat: '0001-01-01T00:00:00Z' },
  };
  const { Nodes } = nodePage.parse({ NextToken: '', Nodes: [node, never] });
  t.equal(
    nodeTable(Nodes, NOW),
    [
      'ID        APPROVAL  STATUS                 SEEN  CPU FREE  MEMORY FREE      RUNS  ENGINES                     LABELS',
      'deadbeef  approved  connected, ineligible  8s    7.5 / 8   15.5 GB / 16 GB  1     docker wasm (1 not usable)  region=eu',
      'n-new     pending   disconnected                 0 / 0     0 B / 0 B        0',
    ].join('\n'),
  );
  const [first] = Nodes;
  if (first === undefined) throw new Error('no node');
  t.equal(
    nodeText(first, NOW),
    `ID          n-0193d5a0-9999-7000-8000-0000deadbeef
Name        rack-7
Type        Compute
Version     v0.1.0
Approval    approved
Status      connected
Scheduling  ineligible: its operator has drained it
Last seen   8s ago
CPU         7.5 of 8 free
Memory      15.5 GB of 16 GB free
Disk        100 GB of 100 GB free
Running     1
Labels      region=eu

Executors
NAME    HEALTH     VERSION  RECOVERY  REASON
docker  healthy    0.1.0    complete
wasm    healthy    0.1.0    complete  its schema of task params is not used: it is no JSON Schema
flaky   unhealthy           complete  it ended`,
  );
});

t.test('agent status', async (t) => {
  const executor = {
    health: 'healthy',
    reason: '',
    version: '0.1.0',
    restarts: 0,
    recovery: 'complete',
    adopted: 1,
  };
  const text = statusText(
    {
      ok: false,
      degraded: ['executor docker is unhealthy: no engine'],
      version: '0.1.0',
      pid: 77,
      nodeId: 'n-a',
      name: 'host',
      dataDir: '/data',
      startedAt: NOW - 60_000,
      readyMs: 312.4,
      capacity: { cpuMillis: 8000, memoryBytes: 16e9 },
      allocated: { cpuMillis: 500, memoryBytes: 5e8 },
      link: { state: 'linked', detail: '' },
      executors: [
        { ...executor, name: 'wasm', pid: 80, reattached: true },
        { ...executor, name: 'docker', health: 'unhealthy', reason: 'no engine', adopted: 0 },
      ],
      executions: [
        {
          id: 'e-0193d5a0-1111-7000-8000-00000000000a',
          jobId: 'j-0193d5a0-1111-7000-8000-0000aabbccdd',
          executor: 'wasm',
          state: 'running',
          run: 0,
          startedAt: NOW - 5000,
          progress: '',
        },
      ],
      quarantined: [],
      foreign: [],
    },
    NOW,
  );
  t.equal(
    text,
    `Node       n-a (host)
State      degraded
Requester  linked
Agent      version 0.1.0, pid 77, up 60s
Ready      after 312 ms
CPU        0.5 of 8 in use
Memory     500 MB of 16 GB in use
Data       /data

Executors
NAME    HEALTH     RECOVERY  PID  START       RESTARTS  ADOPTED  REASON
wasm    healthy    complete  80   reattached  0         1
docker  unhealthy  complete                   0         0        no engine

Executions
ID        JOB       EXECUTOR  STATE    RUN  AGE  PROGRESS
0000000a  aabbccdd  wasm      running  0    5s

Problems
executor docker is unhealthy: no engine`,
  );
});

t.test('what limpet dev says when it is ready', async (t) => {
  const dev = { pid: 1, startTime: '1', bootId: 'b' };
  const file = {
    dev,
    ready: true,
    broker: { kind: 'embedded', url: 'nats://127.0.0.1:4' },
    requester: { url: 'http://127.0.0.1:5' },
    agent: {
      node: 'n-0193d5a0-9999-7000-8000-0000deadbeef',
      healthy: ['wasm'],
      unhealthy: ['docker: no engine'],
    },
    children: {},
  };
  t.equal(
    banner(file, { data: '/srv/a', detached: false, terminalData: undefined }),
    `limpet dev is ready
  broker      embedded, nats://127.0.0.1:4
  requester   http://127.0.0.1:5
  node        deadbeef
  executors   wasm
  not usable  docker: no engine
  data        /srv/a

Next, in another terminal:
  LIMPET_DATA=/srv/a limpet node list
  LIMPET_DATA=/srv/a limpet wasm run module.wasm
  LIMPET_DATA=/srv/a limpet docker run busybox echo hello
  LIMPET_DATA=/srv/a limpet job run job.yaml --follow

Ctrl-C ends everything.
`,
  );
});
