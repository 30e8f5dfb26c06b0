/** What a requester believes of the progress that nodes tell, and how long. */
import t from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { parseExecutionId } from '../../core/ids.ts';
import type { LiveProgress } from '../../core/live-progress.ts';
import { Watchers } from '../../requester/jobs/watchers.ts';
import { Preparing } from '../../requester/nodes/preparing.ts';
import type { ExecutionRecord } from '../../requester/state/records.ts';
import { World } from '../../requester/state/world.ts';
import { aJob, aNode, uuidOf, type NodeWish } from './requester-records.ts';

const job = aJob({ n: 1 });
const [one, other] = [aNode({ n: 1 }).record.id, aNode({ n: 2 }).record.id];
const progress: LiveProgress = { kind: 'download', item: 'x', doneBytes: 1, totalBytes: 4 };

function anExecution(n: number, over: Partial<ExecutionRecord> = {}): ExecutionRecord {
  return {
    v: 1,
    id: parseExecutionId(`e-${uuidOf(n)}`),
    jobId: job.id,
    nodeId: one,
    evaluationId: job.evaluationId,
    token: { jobVersion: 1, partition: 0, attempt: 0 },
    ...{ wanted: job.wanted, executor: 'wasm', desired: 'run', desiredReason: '' },
    ...{ state: 'preparing', revision: 1, run: 0, reason: '', placedAt: 0, modifiedAt: 0 },
    ...over,
  };
}

function bench(execution = anExecution(1)) {
  const clock = new FakeClock();
  const world = new World();
  const watchers = new Watchers();
  const nodes = [aNode({ n: 1 }).record, aNode({ n: 2 }).record];
  world.put({ jobs: [job], nodes, executions: [execution] });
  const put = (executions: ExecutionRecord[]) => world.put({ jobs: [], nodes: [], executions });
  const putNode = (wish: NodeWish) =>
    world.put({ jobs: [], nodes: [aNode(wish).record], executions: [] });
  const preparing = new Preparing({ world, watchers, clock });
  const tell = (node = one, session = 's', told = progress) =>
    preparing.take(node, { session, executions: [{ executionId: execution.id, progress: told }] });
  /** How often a watcher of the job was woken. */
  const woken = { times: 0 };
  const watch = watchers.watch(job.id, new AbortController().signal);
  void (async () => {
    while (await watch.next()) woken.times += 1;
  })();
  return { clock, execution, preparing, put, putNode, tell, woken };
}

t.test('it is shown while the execution is accepted or prepared, and no longer', async (t) => {
  for (const state of ['accepted', 'preparing', 'starting', 'running', 'failed'] as const) {
    const { preparing, execution, tell } = bench(anExecution(1, { state }));
    tell();
    const shown = state === 'accepted' || state === 'preparing';
    t.strictSame(preparing.of(execution), shown ? progress : undefined, state);
  }
  const { preparing, execution, tell } = bench();
  tell();
  const started: ExecutionRecord = { ...execution, state: 'starting' };
  t.equal(preparing.of(started), undefined);
  preparing.changed([started]);
  t.equal(preparing.size, 0);
});

t.test('only its node is believed, under the session of its last handshake', async (t) => {
  const { preparing, execution, tell } = bench();
  tell(other);
  tell(one, 'of before');
  preparing.take(one, { session: 's', executions: [{ executionId: 'no id', progress }] });
  const unknown = { executionId: `e-${uuidOf(99)}`, progress };
  preparing.take(one, { session: 's', executions: [unknown] });
  t.equal(preparing.of(execution), undefined);
  t.equal(preparing.size, 0);
  tell();
  t.strictSame(preparing.of(execution), progress);
});

t.test('it goes with its node, and half a minute after the last word', async (t) => {
  const { clock, preparing, execution, putNode, tell, woken } = bench();
  tell();
  putNode({ n: 1, connection: 'unknown' });
  t.equal(preparing.of(execution), undefined, 'the node is silent');
  putNode({ n: 1 });
  t.strictSame(preparing.of(execution), progress);
  await clock.advance(30_000);
  t.strictSame(preparing.of(execution), progress);
  t.equal(woken.times, 1);
  await clock.advance(5_001);
  t.equal(preparing.of(execution), undefined);
  t.equal(preparing.size, 0, 'nothing of it is kept');
  t.equal(woken.times, 2, 'whoever watches sees it go');
  await clock.advance(60_000);
  t.equal(clock.pending, 0);
});

t.test('watchers are woken at once, then once a second at the most', async (t) => {
  const { clock, tell, woken } = bench();
  tell();
  await clock.advance(0);
  t.equal(woken.times, 1);
  for (let n = 0; n < 100; n++) {
    tell();
    await clock.advance(30);
  }
  t.equal(woken.times, 4);
});
