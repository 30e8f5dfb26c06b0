import t from 'tap';
import { parseExecutionId } from '../../core/ids.ts';
import type { ExecutionState } from '../../core/execution/states.ts';
import { admit } from '../../requester/nodes/admission.ts';
import { judgeSilence } from '../../requester/nodes/connection.ts';
import { reconcile } from '../../requester/nodes/reconcile.ts';
import { checkSession, replaceSession } from '../../requester/nodes/sessions.ts';
import { NOTHING_INHERITED } from '../../requester/scheduling/inheritance.ts';
import { plan } from '../../requester/scheduling/plan.ts';
import type { ExecutionRecord } from '../../requester/state/records.ts';
import type { Handshake } from '../../wire/messages.ts';
import { aJob, aNode, applied, uuidOf } from './requester-records.ts';

const thresholds = {
  heartbeatIntervalMs: 15_000,
  unknownAfterMs: 45_000,
  unhealthyAfterMs: 300_000,
};
const rules = { approval: 'auto' as const, authority: false, unknownAfterMs: 45_000 };

function handshake(more: Partial<Handshake> = {}): Handshake {
  const link = { incarnation: 'a', lastSeq: 0, peerIncarnation: '', peerCursor: 0 };
  const { info } = aNode({ n: 1 }).record;
  return {
    v: 1,
    node: info,
    instanceId: 'i-1',
    bootId: 'b',
    startedAt: 5,
    link,
    executions: [],
    ...more,
  };
}

function anExecution(state: ExecutionState, more: Partial<ExecutionRecord> = {}): ExecutionRecord {
  const jobs = [aJob({ n: 1 })];
  const made = plan({
    jobs,
    nodes: [aNode({ n: 1 })],
    executions: [],
    now: 1,
    declineBackoff: { firstMs: 1, lastMs: 1 },
    inheritance: NOTHING_INHERITED,
  });
  const [execution] = applied(jobs, [], { plan: made, now: 1, firstId: 1 }).executions;
  if (execution === undefined) throw new Error('an execution was expected');
  return { ...execution, state, revision: 3, ...more };
}

function listing(state: ExecutionState, attempt = 0): Handshake['executions'] {
  const token = { jobVersion: 1, partition: 0, attempt };
  return [
    {
      executionId: `e-${uuidOf(1)}`,
      token,
      state,
      revision: 3,
      executor: 'wasm',
      observed: 'seen',
    },
  ];
}

t.test('silence makes a node unknown, then unhealthy, at the very threshold', async (t) => {
  const connected = { state: 'connected' as const, reason: '', at: 0 };
  t.equal(judgeSilence(connected, 44_999, thresholds), undefined);
  t.match(judgeSilence(connected, 45_000, thresholds), {
    state: 'unknown',
    reason: 'no heartbeat for 45 s',
  });
  t.match(judgeSilence({ ...connected, state: 'unknown' }, 300_000, thresholds), {
    state: 'unhealthy',
  });
  t.equal(
    judgeSilence({ ...connected, state: 'unhealthy' }, 60_000, thresholds),
    undefined,
    'only a word of the node mends it',
  );
});

t.test('the older of two agents with one id is superseded; a restarted one is not', async (t) => {
  const { record } = aNode({ n: 1 });
  const first = { ...record, session: 's1', process: 'b/1' };
  const second = { ...first, ...replaceSession(first, 's2'), process: 'b/2' };
  t.match(checkSession(second, 's2'), { type: 'current' });
  t.match(checkSession(second, 's1'), { type: 'superseded' });
  t.match(checkSession(second, 'never'), { type: 'handshake-required' });
  t.match(
    checkSession({ ...second, process: 'b/1' }, 's1'),
    { type: 'handshake-required' },
    'the same process shakes hands again',
  );
});

t.test(
  'admission: auto approves, manual waits, a stranger on a living id is turned away',
  async (t) => {
    const { record } = aNode({ n: 1 });
    const when = { rules, heardAt: 0, now: 1_000 };
    t.match(admit(undefined, handshake(), when), { type: 'approved' });
    t.match(admit(undefined, handshake(), { ...when, rules: { ...rules, approval: 'manual' } }), {
      type: 'pending',
    });
    t.match(admit(undefined, handshake({ v: 9 }), when), {
      type: 'rejected',
      membership: { reason: /protocol version 9/ },
    });
    t.match(admit(record, handshake({ instanceId: 'other' }), when), { type: 'superseded' });
    t.match(admit({ ...record, processStartedAt: 99 }, handshake(), when), { type: 'superseded' });
    t.match(
      admit({ ...record, processStartedAt: 99 }, handshake(), { ...when, now: 45_000 }),
      { type: 'approved' },
      'the other one is silent',
    );
  },
);

t.test(
  'reconcile: missing is lost only when it was taken, its executor is complete and the list is fresh',
  async (t) => {
    const listed = new Map<string, ExecutionRecord>();
    const mine = anExecution('running');
    const input = { handshake: handshake(), ours: [mine], listed, stale: false, level: false };
    t.match(reconcile(input).lost, [{ id: mine.id }]);
    t.strictSame(reconcile({ ...input, stale: true }).lost, []);
    t.strictSame(
      reconcile({ ...input, ours: [{ ...mine, revision: 0 }] }).lost,
      [],
      'it may still be on its way',
    );
    t.match(
      reconcile({ ...input, ours: [{ ...mine, revision: 0 }], level: true }).lost,
      [{ id: mine.id }],
      'its placement was taken, and could not be read',
    );
    const { info } = aNode({ n: 1, recovery: 'recovering' }).record;
    const { lost, unlisted } = reconcile({ ...input, handshake: handshake({ node: info }) });
    t.same({ lost, unlisted }, { lost: [], unlisted: [mine.id] });
  },
);

t.test(
  'reconcile: what must not run is stopped, what nobody here knows is named and left alone',
  async (t) => {
    const id = parseExecutionId(`e-${uuidOf(1)}`);
    const against = (record: ExecutionRecord | undefined, executions: Handshake['executions']) => {
      const listed = new Map(record === undefined ? [] : [[id, { ...record, id }] as const]);
      const { unknown, stop } = reconcile({
        handshake: handshake({ executions }),
        ours: [],
        listed,
        stale: false,
        level: false,
      });
      return { unknown, stop };
    };
    t.same(against(undefined, listing('running')), { unknown: [id], stop: [] });
    t.same(against(anExecution('running'), listing('running')), { unknown: [], stop: [] });
    t.match(
      against(
        anExecution('running', { desired: 'stop', desiredReason: 'enough' }),
        listing('running'),
      ).stop,
      [{ reason: 'enough' }],
    );
    t.match(against(anExecution('failed'), listing('running')).stop, [
      { reason: /ended as failed/ },
    ]);
    t.match(against(anExecution('running'), listing('running', 7)).stop, [{ reason: /token/ }]);
    t.same(against(anExecution('failed'), listing('completed')).stop, [], 'it has ended there too');
  },
);
