import t from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { noFaults } from '../../adapters/faults/env-faults.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { openMemoryStore } from '../../adapters/store/memory-store.ts';
import { DISK_MS, STUCK_MS } from '../../adapters/systemd/watchdog.ts';
import { Coordinator } from '../../requester/state/coordinator.ts';
import { World } from '../../requester/state/world.ts';
import { OwnUnit } from '../../requester/unit/own-unit.ts';

/** A requester's coordinator on a disk that can be held, and what systemd is told. */
async function world() {
  const clock = new FakeClock();
  const start = clock.uptime();
  const store = await openMemoryStore();
  const write = store.batch.bind(store);
  const disk: { held?: Promise<void> } = {};
  const batches: number[] = [];
  store.batch = async (ops) => {
    batches.push(ops.length);
    await disk.held;
    await write(ops);
  };
  const coordinator = new Coordinator({
    ...{ store, clock, world: new World(), faults: noFaults },
    append: () => [],
    unwritten: () => undefined,
    settle: () => undefined,
    onCommitted: () => undefined,
  });
  const told: string[] = [];
  const beats: number[] = [];
  const problems: string[] = [];
  const unit = new OwnUnit({
    ...{ coordinator, clock, log: silentLog, problems: () => problems },
    service: {
      ready: (status) => told.push(`READY: ${status}`),
      status: (text) => told.push(`STATUS: ${text}`),
      reloading: () => told.push('RELOADING'),
      stopping: (status) => told.push(`STOPPING: ${status}`),
      beat: () => beats.push(clock.uptime() - start),
      watchdogMs: 30_000,
    },
  });
  t.teardown(() => {
    unit.close();
  });
  return { ...{ clock, coordinator, unit, told, beats, problems, disk, batches } };
}

const NEVER = new Promise<void>(() => undefined);

t.test(
  'it is ready at once, tells its problems, and lives; nothing is written for that',
  async (t) => {
    const { clock, told, beats, problems, batches, unit } = await world();
    await clock.advance(60_000);
    t.strictSame(told, ['READY: ready']);
    t.strictSame(beats, [0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
    t.ok(batches.every((ops) => ops === 0));
    problems.push('the store cannot be written: EIO');
    await clock.advance(60_000);
    await unit.reload(() => Promise.resolve());
    unit.stopping();
    t.strictSame(told.slice(1), [
      'STATUS: ready, degraded: the store cannot be written: EIO',
      'RELOADING',
      'READY: ready, degraded: the store cannot be written: EIO',
      'STOPPING: stopping',
    ]);
  },
);

t.test('a turn that never ends starves the watchdog', async (t) => {
  const { clock, beats, coordinator } = await world();
  void coordinator.run(() => NEVER);
  await clock.advance(3 * STUCK_MS);
  const last = beats.at(-1) ?? 0;
  t.ok(last > 0 && last <= STUCK_MS + 10_000, `last beat at ${last} ms`);
});

t.test('a disk that is slow does not, for its time', async (t) => {
  const { clock, beats, coordinator, disk } = await world();
  await clock.advance(0);
  disk.held = NEVER;
  void coordinator.run(() => undefined);
  await clock.advance(DISK_MS - 20_000);
  t.ok((beats.at(-1) ?? 0) > DISK_MS - 60_000, 'fed while the disk is waited for');
  await clock.advance(DISK_MS);
  t.ok((beats.at(-1) ?? 0) < DISK_MS + 30_000, 'and not for ever');
});
