import t from 'tap';
import type { Container } from '../../executors/docker/engine.ts';
import { containerName, isOurs, runLabels } from '../../executors/docker/labels.ts';
import {
  isFinal,
  observation,
  unseen,
  type HostFacts,
  type RunRecord,
} from '../../executors/docker/observe.ts';

const identity = { nodeId: 'n-1', instanceId: 'abcdefgh-0000' };
const key = { executionId: 'e-1', run: 2 };
const host: HostFacts = { identity, bootId: 'this', engineStartedAt: undefined };
const mark = { containerId: 'c1', bootId: 'this', engineId: 'x' };
const record: RunRecord = { key, mark, order: undefined, loss: undefined, givenUp: false };

const labels = runLabels(identity, {
  key,
  specHash: 'h',
  jobId: 'j',
  jobName: 'j',
  kind: 'batch',
  owner: 'r',
  token: '1.0.0',
  params: {},
  env: {},
  mounts: [],
  limits: { cpuMillis: 0, memoryBytes: 0, pids: 0, diskBytes: 0 },
  network: 'none',
  deadlineAt: 0,
  digest: '',
  stopGraceMs: 0,
});

const container: Container = {
  id: 'c1',
  name: containerName(identity, key),
  labels,
  status: 'exited',
  exitCode: 0,
  oomKilled: false,
  error: '',
  startedAt: 100_000,
  finishedAt: 200_000,
  image: 'busybox',
  stopSignal: undefined,
  hasInit: true,
  logFileBytes: 10_000_000,
};

function outcome(change: Partial<Container>, known: Partial<RunRecord> = {}, facts = host) {
  return observation({ ...container, ...change }, { ...record, ...known }, facts).outcome;
}

void t.test('a run never ends before it began, whatever the engine notes', async (t) => {
  const short = { ...container, startedAt: 100_004, finishedAt: 100_001 };
  t.equal(observation(short, record, host).finishedAt, 100_004);
  t.equal(observation(container, record, host).finishedAt, 200_000);
});

void t.test('ours is labels, node, instance and name', async (t) => {
  t.ok(isOurs(identity, container));
  t.notOk(isOurs(identity, { ...container, name: 'other' }));
  t.notOk(isOurs({ ...identity, nodeId: 'n-2' }, container));
  t.notOk(isOurs({ ...identity, instanceId: 'abcdefgh-1111' }, container), 'same name prefix');
  t.notOk(isOurs(identity, { ...container, labels: { ...labels, 'limpet.role': 'helper' } }));
  t.notOk(isOurs(identity, { ...container, labels: {} }));
});

void t.test(
  "every state of the engine has a phase, and an unknown one is nobody's end",
  async (t) => {
    const phases = [
      'created',
      'running',
      'restarting',
      'paused',
      'removing',
      'exited',
      'dead',
      'new',
    ];
    t.same(
      phases.map((status) => observation({ ...container, status }, record, host).phase),
      ['created', 'running', 'running', 'paused', 'removing', 'exited', 'removing', 'unobservable'],
    );
  },
);

void t.test('a run ends by its code, or by memory', async (t) => {
  t.same(outcome({}), { by: 'exit', code: 0, reason: '' });
  t.same(outcome({ exitCode: 137 }), { by: 'exit', code: 137, reason: '' });
  t.same(outcome({ exitCode: 137, oomKilled: true }), { by: 'oom', code: 137, reason: 'memory' });
  t.same(
    outcome({ oomKilled: true }),
    { by: 'exit', code: 0, reason: '' },
    'it went on to succeed',
  );
});

void t.test('the first order wins over everything, when the run ended after it', async (t) => {
  const order = { by: 'limit', signalNumber: 15, graceMs: 0, reason: 'deadline' } as const;
  const killed = { exitCode: 137, oomKilled: true };
  t.same(outcome(killed, { order: { ...order, at: 199_999 } }), {
    by: 'limit',
    code: 137,
    reason: 'deadline',
  });
  t.equal(outcome(killed, { order: { ...order, at: 200_001 } })?.by, 'oom');
});

void t.test('a kill that came with a reboot or a restart of the engine is a loss', async (t) => {
  const lost = (exitCode: number, known: Partial<RunRecord>, facts = host) =>
    outcome({ exitCode }, known, facts)?.by === 'lost';
  const otherBoot = { mark: { ...mark, bootId: 'before' } };
  for (const code of [137, 143, 255]) t.ok(lost(code, otherBoot), String(code));
  t.notOk(lost(1, otherBoot), 'ended by itself before the reboot');
  t.ok(lost(137, { loss: { lostAt: 150_000, broken: true } }));
  t.ok(lost(137, { loss: { lostAt: 150_000, backAt: 199_500, broken: true } }));
  t.notOk(
    lost(137, { loss: { lostAt: 150_000, backAt: 160_000, broken: true } }),
    'long after it was back',
  );
  t.notOk(lost(137, { loss: { lostAt: 260_000, broken: true } }), 'before the engine went');
  const since = (engineStartedAt: number) => ({ ...host, engineStartedAt });
  t.ok(lost(137, {}, since(195_000)));
  t.notOk(lost(137, {}, since(50_000)), 'the engine was there all the time');
  t.ok(
    lost(137, {}, since(210_000)),
    'an engine that is stopped in good order ends its runs first',
  );
  t.notOk(lost(137, {}, since(250_000)), 'the engine came later');
  t.equal(outcome({ exitCode: 137, oomKilled: true }, otherBoot)?.by, 'oom');
});

void t.test('a failed start is told, and a mark of another boot is known as such', async (t) => {
  const created = { ...container, status: 'created', error: 'no such file' };
  t.match(observation(created, record, host), { phase: 'created', startError: 'no such file' });
  const before = { ...record, mark: { ...mark, bootId: 'before' } };
  t.match(unseen('absent', before, host), { phase: 'absent', marked: true, sameBoot: false });
  t.match(unseen('absent', { ...record, mark: undefined }, host), { marked: false });
});

void t.test('what was begun when its engine died is never started again', async (t) => {
  const created = { ...container, status: 'created', startedAt: undefined, finishedAt: undefined };
  const marked = { ...record, mark: { ...mark, engineProcess: '1-1' } };
  const seen = (change: Partial<Container>, engineProcess: string | undefined) =>
    observation({ ...created, ...change }, marked, { ...host, engineProcess });
  t.match(seen({}, '2-2'), { phase: 'exited', outcome: { by: 'lost', reason: 'interrupted' } });
  t.match(seen({}, '1-1'), { phase: 'created' }, 'the engine that was to start it');
  t.match(seen({}, undefined), { phase: 'created' });
  t.match(seen({ id: 'c2' }, '2-2'), { phase: 'created' }, 'another container');
  t.match(seen({ error: 'no such file' }, '2-2'), { phase: 'created', startError: 'no such file' });
});

void t.test('an end is final unless the next start of the engine could explain it', async (t) => {
  const final = (change: Partial<Container>, known: Partial<RunRecord> = {}) =>
    isFinal(observation({ ...container, ...change }, { ...record, ...known }, host));
  for (const exitCode of [0, 1, 42]) t.ok(final({ exitCode }), String(exitCode));
  for (const exitCode of [137, 143, 255]) t.notOk(final({ exitCode }), String(exitCode));
  t.ok(final({ exitCode: 137, oomKilled: true }));
  const order = { by: 'stop', signalNumber: 15, graceMs: 0, reason: 'asked', at: 150_000 } as const;
  t.ok(final({ exitCode: 143 }, { order }));
  t.notOk(final({ status: 'running' }));
});
