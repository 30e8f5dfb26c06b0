import t from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { openMemoryStore } from '../../adapters/store/memory-store.ts';
import type { Store } from '../../adapters/store/port.ts';
import { Leases } from '../../agent/executions/lease.ts';
import { LiveExecution } from '../../agent/executions/live.ts';
import type { ExecutorClient } from '../../agent/plugins/port.ts';
import { placement, record } from '../kit/records.ts';

const LEASE_MS = 60_000;

interface World {
  readonly clock: FakeClock;
  readonly store: Store;
  readonly live: LiveExecution;
  readonly looks: LiveExecution[];
  readonly leases: Leases;
  /** Another process of the same agent, on what the first one stored. */
  restarted(bootId?: string): Promise<Leases>;
}

async function aWorld(): Promise<World> {
  const clock = new FakeClock();
  const store = await openMemoryStore();
  const acceptedAt = clock.now();
  const live = new LiveExecution(
    record({ state: 'running', acceptedAt }, { kind: 'service', leaseMs: LEASE_MS }),
  );
  const looks: LiveExecution[] = [];
  const restarted = async (bootId = 'boot-1'): Promise<Leases> => {
    const leases = await Leases.load({ store, clock, bootId, log: silentLog });
    leases.watch({
      executions: () => [live],
      client: () => undefined,
      look: (one) => void looks.push(one),
    });
    return leases;
  };
  return { clock, store, live, looks, restarted, leases: await restarted() };
}

t.test('a lease runs from the sending of the last answered heartbeat', async (t) => {
  const { clock, leases, live, looks } = await aWorld();
  const sent = leases.moment();
  await clock.advance(4_000);
  await leases.acknowledged(sent);
  await clock.advance(LEASE_MS - 4_001);
  t.notOk(leases.isOver(live.record));
  t.same(looks, []);
  await clock.advance(1);
  t.ok(leases.isOver(live.record));
  t.same(looks, [live], 'and it is looked at in that moment');
});

t.test('a wall clock that is set changes nothing within a boot', async (t) => {
  const { clock, leases, live } = await aWorld();
  await leases.acknowledged(leases.moment());
  clock.jump(24 * 3_600_000);
  t.notOk(leases.isOver(live.record));
  clock.jump(-48 * 3_600_000);
  await clock.advance(LEASE_MS);
  t.ok(leases.isOver(live.record));
});

t.test('a restarted agent neither prolongs nor forgets it', async (t) => {
  const { clock, leases, live, restarted } = await aWorld();
  await leases.acknowledged(leases.moment());
  leases.close();
  await clock.advance(LEASE_MS - 1);
  t.notOk((await restarted()).isOver(live.record));
  await clock.advance(1);
  t.ok((await restarted()).isOver(live.record));
});

t.test('the time that the host was down counts', async (t) => {
  const { clock, leases, live, restarted } = await aWorld();
  await leases.acknowledged(leases.moment());
  leases.close();
  clock.jump(LEASE_MS - 1);
  t.notOk((await restarted('boot-2')).isOver(live.record));
  clock.jump(1);
  t.ok((await restarted('boot-2')).isOver(live.record));
});

t.test('what is over stays over, whoever answers then, and after a restart too', async (t) => {
  const { clock, leases, live, looks, restarted } = await aWorld();
  await leases.acknowledged(leases.moment());
  leases.close();
  await clock.advance(LEASE_MS + 1);
  const again = await restarted();
  await again.acknowledged(again.moment());
  t.ok(again.isOver(live.record));
  t.same(looks, [live]);
  again.close();
  t.ok((await restarted()).isOver(live.record));
});

t.test('before any answer it runs from the placement; without a lease it never ends', async (t) => {
  const { clock, leases, live } = await aWorld();
  const keep = record({ acceptedAt: clock.now() }, { kind: 'service' });
  await clock.advance(LEASE_MS);
  t.ok(leases.isOver(live.record));
  t.notOk(leases.isOver(keep));
});

t.test('a plugin that never answers costs the runs of others nothing', async (t) => {
  const { clock, store, live } = await aWorld();
  const { task } = placement();
  const engine = { Type: 'silent', Params: {} };
  const there = new LiveExecution(
    record(
      { state: 'running', acceptedAt: clock.now() },
      { kind: 'service', leaseMs: LEASE_MS, task: { ...task, Engine: engine } },
    ),
  );
  const told: number[] = [];
  let asked = 0;
  const looks: LiveExecution[] = [];
  const leases = await Leases.load({ store, clock, bootId: 'boot-1', log: silentLog });
  leases.watch({
    executions: () => [there, live],
    client: (name) =>
      stubbed(async (renewed) => {
        if (name !== 'silent') return void told.push(renewed[0]?.untilMs ?? NaN);
        asked += 1;
        return new Promise(() => undefined);
      }),
    look: (one) => void looks.push(one),
  });
  const begin = clock.now();
  for (let beat = 0; beat < 4; beat++) {
    void leases.acknowledged(leases.moment());
    await clock.advance(LEASE_MS / 2);
  }
  t.strictSame(
    told.map((until) => until - begin),
    [2, 3, 4, 5].map((halves) => (halves * LEASE_MS) / 2),
    'each heartbeat renews them',
  );
  t.equal(asked, 1, 'and the silent one is not asked again while it owes an answer');
  t.notOk(leases.isOver(live.record));
  t.notOk(leases.isOver(there.record));
  t.same(looks, []);
});

/** An executor that only renews. */
function stubbed(renew: ExecutorClient['renew']): ExecutorClient {
  return { renew } as Partial<ExecutorClient> as ExecutorClient;
}
