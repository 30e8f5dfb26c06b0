/** What an executor is asked while a run goes by: nothing that the SDK knows already. */
import t, { type Test } from 'tap';
import { EventRing } from '../../plugins/sdk/event-ring.ts';
import { LogTable } from '../../plugins/sdk/log-table.ts';
import { RunCalls } from '../../plugins/sdk/run-calls.ts';
import { readRun, runFolder } from '../../plugins/sdk/run-folder.ts';
import { RunTable } from '../../plugins/sdk/run-table.ts';
import type { Executor, ExecutorHost, Observation, RunSpec } from '../../plugins/sdk/types.ts';
import { procProcesses } from '../../adapters/processes/proc.ts';
import { tempDir } from '../kit/temp-dir.ts';

const KEY = { executionId: 'e-1', run: 0 };
const COMMON = { key: KEY, marked: true, sameBoot: true, ours: true, startedAt: 1000 };
const RUNNING: Observation = { ...COMMON, phase: 'running' };
const ENDED: Observation = {
  ...COMMON,
  phase: 'exited',
  finishedAt: 2000,
  outcome: { by: 'exit', code: 3, reason: '' },
};
const ABSENT: Observation = { ...COMMON, phase: 'absent', marked: false };

const SPEC: RunSpec = {
  ...{ key: KEY, specHash: 'hash-1', jobId: 'j', jobName: 'j', kind: 'batch', owner: 'r' },
  ...{ token: '1.0.0', params: {}, env: {}, mounts: [], network: 'none', digest: '' },
  limits: { cpuMillis: 0, memoryBytes: 0, pids: 0, diskBytes: 0 },
  ...{ deadlineAt: 0, stopGraceMs: 1000 },
};

const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

interface Engine {
  /** What it shows. */
  now: Observation;
  /** What `start` finds or makes. */
  started: Observation;
  /** What `supervise` answers, if anything. */
  end?: Observation;
  readonly asked: string[];
}

function executorOf(engine: Engine): Executor {
  const ask = <T>(name: string, answer: T): T => {
    engine.asked.push(name);
    return answer;
  };
  return {
    fingerprint: async () => ({ health: 'healthy', reason: '' }),
    prepare: async () => '',
    start: async () => ask('start', (engine.now = engine.started)),
    observe: async () => ask('observe', engine.now),
    list: async () => ask('list', []),
    supervise: async (_run, _signal, seen) => {
      ask(`supervise, ${seen?.phase ?? 'nothing'} seen`, undefined);
      engine.now = ENDED;
      return engine.end;
    },
    logs: () => ({ read: async function* () {} }),
    stop: async () => quiet(),
    remove: async () => ask('remove', undefined),
  };
}

function openCalls(t: Test, change: Partial<Engine> = {}) {
  const engine: Engine = { now: ABSENT, started: RUNNING, end: ENDED, asked: [], ...change };
  const folder = tempDir(t);
  const folders = { logsDir: folder, stateDir: folder, socketsDir: folder };
  const runsDir = tempDir(t);
  const host: ExecutorHost = {
    ...{ nodeId: 'n', instanceId: 'i', pluginInstance: 'p', bootId: 'b', runsDir, log },
    ...folders,
    runFolder: (key) => runFolder(runsDir, key),
    readRun: async (key) => readRun(runsDir, key),
    runFolders: async () => [],
    wake: quiet,
    processes: procProcesses(),
    reach: quiet,
  };
  const executor = executorOf(engine);
  const events = new EventRing();
  const logs = new LogTable(folder);
  const faults = { reach: quiet };
  const table = new RunTable({ executor, logs, events, log, faults });
  const typed = (spec: RunSpec) => spec;
  const calls = new RunCalls({ executor, host, table, logs, events, faults, typed });
  t.teardown(() => table.releaseAll());
  return { calls, events, engine };
}

/** The next news of a run, within a time. */
function nextNews(events: EventRing) {
  const news = events.follow(0, AbortSignal.timeout(20_000)).next();
  return async () => {
    const { value } = await news;
    return value?.seen;
  };
}

t.test('a new run is started without a look before, and its end is told without one', async (t) => {
  const { calls, events, engine } = openCalls(t);
  const news = nextNews(events);
  const { seen, alreadyRunning } = await calls.start(SPEC);
  t.match({ seen, alreadyRunning }, { seen: { phase: 'running' }, alreadyRunning: false });
  t.same(await news(), ENDED);
  await calls.remove(KEY, false);
  t.same(engine.asked, ['start', 'supervise, running seen', 'remove']);
});

t.test('an executor that does not answer the end is asked for it', async (t) => {
  const { calls, events, engine } = openCalls(t);
  delete engine.end;
  const news = nextNews(events);
  await calls.start(SPEC);
  t.same(await news(), ENDED);
  t.same(engine.asked, ['start', 'supervise, running seen', 'observe']);
});

t.test(
  'a run that has a folder is looked at before, and an ended one is not started',
  async (t) => {
    const { calls, events, engine } = openCalls(t);
    const news = nextNews(events);
    await calls.start(SPEC);
    await news();
    engine.asked.length = 0;
    t.match(await calls.start(SPEC), { seen: { phase: 'exited' }, alreadyRunning: false });
    t.same(engine.asked, ['observe']);
  },
);

t.test(
  'a run that had ended when its start was answered is told once its log is taken',
  async (t) => {
    const { calls, events, engine } = openCalls(t, { started: ENDED });
    const news = nextNews(events);
    const { seen } = await calls.start(SPEC);
    t.match(seen, { phase: 'running', outcome: undefined }, 'an end never comes before the log');
    t.same(await news(), ENDED);
    t.same(engine.asked, ['start', 'supervise, exited seen']);
  },
);
