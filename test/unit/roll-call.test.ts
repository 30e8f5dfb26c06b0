/** After a start: what has to be heard before work of before that start is placed, and for how long at most. */
import t from 'tap';
import { openMemoryStore } from '../../adapters/store/memory-store.ts';
import type { Store } from '../../adapters/store/port.ts';
import { RollCall } from '../../requester/nodes/roll-call.ts';
import { Draft } from '../../requester/state/draft.ts';
import { World } from '../../requester/state/world.ts';
import type { LinkPosition } from '../../wire/messages.ts';
import { aJob, aNode, type NodeWish } from './requester-records.ts';

const UNTIL = 61_000;
const job = aJob({ n: 1 });

/** A requester that has just started, with one job in its store and these nodes. */
async function started(nodes: readonly NodeWish[], store?: Store) {
  const memory = store ?? (await openMemoryStore());
  const world = new World();
  const putNode = (wish: NodeWish) =>
    world.put({ jobs: [], nodes: [aNode(wish).record], executions: [] });
  world.put({ jobs: [job], nodes: [], executions: [] });
  for (const wish of nodes) putNode(wish);
  /** How far the rows of every node are taken. */
  const taken = { peerIncarnation: 'a', peerCursor: 0 };
  const call = await RollCall.load(memory, {
    ...{ world, now: 1_000, unhealthyAfterMs: 60_000 },
    position: (): LinkPosition => ({ incarnation: 'r', lastSeq: 0, ...taken }),
  });
  const turn = (now: number) => new Draft(world, () => [], now);
  const awaited = (now = 2_000) => call.inheritance(turn(now)).awaited(job);
  return { call, world, store: memory, taken, turn, awaited, putNode };
}

const idOf = (n: number) => aNode({ n }).record.id;

t.test('a node has shown all once the rows that waited at its handshake are taken', async (t) => {
  const { call, taken, awaited } = await started([{ n: 1 }]);
  t.match(awaited(), { until: UNTIL, reason: /for n-1 to show what is there/ });
  t.equal(call.completes(idOf(1)), false, 'there was no handshake');
  call.shown(idOf(1), { incarnation: 'a', lastSeq: 3 });
  taken.peerCursor = 2;
  t.equal(call.completes(idOf(1)), false, 'a row is missing');
  t.match(awaited(), { until: UNTIL });
  taken.peerCursor = 3;
  taken.peerIncarnation = 'b';
  t.equal(call.completes(idOf(1)), false, 'rows of another log');
  taken.peerIncarnation = 'a';
  t.equal(call.completes(idOf(1)), true);
  t.equal(call.completes(idOf(1)), false, 'said once');
  t.equal(awaited(), undefined);
});

t.test('an executor that still looks has not shown all; one that looks again has', async (t) => {
  const { call, awaited, putNode } = await started([{ n: 1, recovery: 'recovering' }]);
  call.shown(idOf(1), { incarnation: 'a', lastSeq: 0 });
  t.equal(call.completes(idOf(1)), true);
  t.match(awaited(), { reason: /n-1/ });
  putNode({ n: 1, recovery: 'complete' });
  t.equal(awaited(), undefined);
  putNode({ n: 1, recovery: 'recovering' });
  t.equal(awaited(), undefined);
});

t.test('nodes that were given up are not waited for, and time ends all of it', async (t) => {
  const given = [
    { n: 2, connection: 'unhealthy' },
    { n: 3, membership: 'rejected' },
  ] as const;
  const { awaited } = await started([{ n: 1 }, ...given]);
  const reason = awaited()?.reason ?? '';
  t.match(reason, 'n-1');
  t.notMatch(reason, /n-[23]/);
  t.match(awaited(UNTIL - 1), { until: UNTIL });
  t.equal(awaited(UNTIL), undefined);
  t.equal((await started(given)).awaited(), undefined, 'nobody is left');
});

t.test(
  'an old copy of the store: time alone ends it, and a new start begins it anew',
  async (t) => {
    const { call, store, turn, awaited } = await started([{ n: 1 }]);
    const first = turn(2_000);
    t.equal(call.setBack(first), true);
    t.equal(call.setBack(turn(3_000)), false, 'no news any more');
    call.shown(idOf(1), { incarnation: 'a', lastSeq: 0 });
    call.completes(idOf(1));
    t.match(awaited(), { reason: /nodes that this older copy of its store does not know/ });
    t.match(call.problem, /the store is an older copy/);
    await store.batch(first.seal());

    const again = await started([{ n: 1 }], store);
    t.match(again.call.problem, /the store is an older copy/, 'it is known after a crash');
    const last = again.turn(UNTIL);
    t.equal(again.call.inheritance(last).awaited(job), undefined);
    t.equal(again.call.problem, undefined);
    await store.batch(last.seal());
    t.equal((await started([{ n: 1 }], store)).call.problem, undefined, 'and over for good');
  },
);
