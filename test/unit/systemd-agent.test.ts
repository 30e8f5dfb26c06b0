import t from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import type { ServiceManager } from '../../adapters/systemd/port.ts';
import type { ExecutorHealth } from '../../agent/plugins/port.ts';
import { OwnUnit } from '../../agent/unit/own-unit.ts';

const WATCHDOG_MS = 30_000;

function executor(name: string, health: ExecutorHealth['health'], pending = false): ExecutorHealth {
  const facts = { version: '1', attributes: {}, freeSlots: 0, restarts: 0 };
  return { name, health, pending, reason: health === 'healthy' ? '' : 'no engine', ...facts };
}

function world(health: ExecutorHealth[]) {
  const clock = new FakeClock();
  const told: string[] = [];
  const recovered = new Set<string>();
  const degraded: string[] = [];
  const say = (what: string) => (status?: string) =>
    void told.push([what, status].filter((part) => part !== undefined).join(': '));
  const service: ServiceManager = {
    ready: say('READY'),
    status: say('STATUS'),
    stopping: say('STOPPING'),
    reloading: () => told.push('RELOADING'),
    beat: () => told.push('BEAT'),
    watchdogMs: WATCHDOG_MS,
  };
  const unit = new OwnUnit({
    service,
    clock,
    log: silentLog,
    executions: () => [],
    health: () => health,
    isRecovered: (name) => recovered.has(name),
    degraded: () => degraded,
    problems: Promise.resolve(['the unit kills']),
  });
  return {
    ...{ clock, told, recovered, degraded, unit, health },
    /** All but signs of life. */
    news: () => told.filter((line) => line !== 'BEAT'),
  };
}

t.test('ready when every executor has taken up its work again', async (t) => {
  const { clock, news, recovered, unit } = world([
    executor('docker', 'healthy'),
    executor('wasm', 'healthy'),
  ]);
  void unit.start();
  await clock.advance(1_000);
  t.strictSame(news(), []);
  recovered.add('docker');
  await clock.advance(1_000);
  t.strictSame(news(), [], 'one of them is not enough');
  recovered.add('wasm');
  await clock.advance(100);
  t.strictSame(news(), ['READY: ready']);
});

t.test('an engine that is away is not waited for', async (t) => {
  const { clock, news, degraded, recovered, unit } = world([
    executor('docker', 'undetected'),
    executor('wasm', 'healthy'),
  ]);
  recovered.add('wasm');
  degraded.push('executor docker is undetected: no engine');
  void unit.start();
  await clock.advance(0);
  t.strictSame(news(), ['READY: ready, degraded: executor docker is undetected: no engine']);
});

t.test('a plugin that is starting is waited for, ten seconds at the most', async (t) => {
  const { clock, news, unit } = world([executor('docker', 'unhealthy', true)]);
  void unit.start();
  await clock.advance(9_900);
  t.strictSame(news(), []);
  await clock.advance(200);
  t.strictSame(news(), ['READY: ready']);
});

t.test('the status line follows what is degraded, and is told once', async (t) => {
  const { clock, news, degraded, unit } = world([]);
  void unit.start();
  await clock.advance(60_000);
  degraded.push('link to the requester: broker gone', 'executor docker is unhealthy: gone');
  await clock.advance(60_000);
  degraded.length = 0;
  await clock.advance(60_000);
  t.strictSame(news(), [
    'READY: ready',
    'STATUS: ready, degraded: link to the requester: broker gone; executor docker is unhealthy: gone',
    'STATUS: ready',
  ]);
});

t.test('the watchdog is fed from readiness to the very end', async (t) => {
  const { clock, told, unit } = world([executor('docker', 'unhealthy', true)]);
  void unit.start();
  await clock.advance(9_900);
  t.strictSame(told, [], 'nobody watches a start');
  await clock.advance(60_000);
  unit.stopping();
  await clock.advance(60_000);
  t.equal(told.filter((line) => line === 'BEAT').length, 12);
  unit.close();
  await clock.advance(60_000);
  t.equal(told.filter((line) => line === 'BEAT').length, 12);
  t.equal(clock.pending, 0);
});

t.test('a drain is no stop yet: systemd would end it after its stop time', async (t) => {
  const { clock, news, unit } = world([]);
  void unit.start();
  await clock.advance(0);
  unit.draining();
  await clock.advance(3_600_000);
  unit.stopping();
  t.strictSame(news(), [
    'READY: ready',
    'STATUS: draining',
    'STOPPING: letting go; plugins and runs may go on',
  ]);
});

t.test('a reload ends in ready, when it fails too', async (t) => {
  const { clock, news, unit } = world([]);
  await unit.reload(() => Promise.resolve());
  t.strictSame(news(), [], 'not before the start is over: systemd would take it for that');
  void unit.start();
  await clock.advance(0);
  await unit.reload(() => Promise.resolve());
  await t.rejects(
    unit.reload(() => Promise.reject(new Error('bad config'))),
    /bad config/,
  );
  t.strictSame(news(), ['READY: ready', 'RELOADING', 'READY: ready', 'RELOADING', 'READY: ready']);
});

t.test('stopped before it was ready, it is never ready', async (t) => {
  const { clock, news, unit } = world([executor('docker', 'unhealthy', true)]);
  const started = unit.start();
  unit.stopping();
  unit.close();
  await started;
  await clock.advance(60_000);
  t.strictSame(news(), ['STOPPING: letting go; plugins and runs may go on']);
});

t.test('what its unit does to the work is among the problems', async (t) => {
  const { clock, unit } = world([]);
  void unit.start();
  await clock.advance(0);
  t.strictSame(unit.problems, ['the unit kills']);
});
