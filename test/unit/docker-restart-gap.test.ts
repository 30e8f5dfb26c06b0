import t from 'tap';
import { dockerConfig, pidFileOf } from '../../executors/docker/config.ts';
import { LogCursor } from '../../executors/docker/log-cursor.ts';
import { untoldRestart, type RestartFacts } from '../../executors/docker/restart-gap.ts';

/** ms; containers and engines below start and end relative to it. */
const THEN = Date.parse('2026-11-22T10:00:00Z');
const first = { id: '10-100-boot', startedAt: THEN - 100_000 };
const second = { id: '11-200-boot', startedAt: THEN + 50_000 };
const mark = { containerId: 'c', bootId: 'boot', engineId: 'e', engineProcess: first.id };
const facts: RestartFacts = {
  container: { startedAt: THEN, finishedAt: undefined },
  isOver: false,
  mark,
  loss: undefined,
  engine: first,
  told: {},
};

const ended = (after: number) => ({
  container: { startedAt: THEN, finishedAt: THEN + after },
  isOver: true,
});
const lost = (after: number) => ({ lostAt: THEN + after, broken: true });
const isTold = (change: Partial<RestartFacts>) =>
  untoldRestart({ ...facts, ...change }) !== undefined;

void t.test('a run that its engine has held all the time has no gap', async (t) => {
  t.notOk(isTold({}));
  t.notOk(isTold(ended(10_000)));
  t.notOk(isTold({ loss: lost(5_000) }), 'the connection broke, the engine stayed');
  t.notOk(isTold({ engine: { ...first, startedAt: THEN + 9_000 } }), 'the clock was set');
});

void t.test('a restart within a run is told, with its time, once', async (t) => {
  const told = untoldRestart({ ...facts, engine: second });
  t.equal(
    told?.text,
    'the engine restarted at 2026-11-22T10:00:50.000Z; lines may be missing here',
  );
  t.equal(told?.at, second.startedAt);
  t.notOk(isTold({ engine: second, told: told?.told ?? {} }));
  const third = { id: '12-300-boot', startedAt: THEN + 90_000 };
  t.ok(isTold({ engine: third, told: told?.told ?? {} }), 'another one is told too');
});

void t.test('a run that had ended when the new engine came', async (t) => {
  t.ok(isTold({ engine: second, ...ended(55_000) }), 'ended by the new engine');
  t.ok(isTold({ engine: second, ...ended(40_000), loss: lost(30_000) }), 'without any engine');
  t.notOk(isTold({ engine: second, ...ended(20_000), loss: lost(30_000) }), 'under the old engine');
  t.ok(isTold({ engine: second, ...ended(20_000) }), 'nobody saw which of the two');
  t.ok(
    isTold({ engine: second, ...ended(40_000), loss: { ...lost(45_000), backAt: THEN + 46_000 } }),
    'what is known of is another absence',
  );
});

void t.test('without the engine in the mark its start time decides', async (t) => {
  const old = { mark: { containerId: 'c', bootId: 'boot', engineId: 'e' } };
  t.notOk(isTold(old));
  t.ok(isTold({ ...old, engine: second }));
  t.notOk(
    isTold({ ...old, engine: second, container: { startedAt: undefined, finishedAt: undefined } }),
  );
});

void t.test('without a pid file a broken connection is told, once', async (t) => {
  const blind = { engine: undefined, mark: undefined };
  t.notOk(isTold(blind));
  const told = untoldRestart({ ...facts, ...blind, loss: lost(5_000) });
  t.match(told?.text, /^the connection to the engine broke at 2026-11-22T10:00:05.000Z; /);
  t.notOk(isTold({ ...blind, loss: lost(5_000), told: told?.told ?? {} }));
  t.ok(isTold({ ...blind, loss: lost(9_000), told: told?.told ?? {} }));
  t.notOk(isTold({ ...blind, loss: { ...lost(5_000), broken: false } }), 'it was only slow');
  t.notOk(isTold({ ...blind, loss: lost(5_000), ...ended(1_000) }), 'the run had ended before');
  t.ok(isTold({ ...blind, loss: lost(5_000), ...ended(7_000) }));
});

void t.test('a pid file that is away for a moment concludes nothing', async (t) => {
  t.notOk(isTold({ engine: undefined, loss: lost(5_000) }));
  const told = { engine: second.id };
  t.notOk(isTold({ engine: undefined, mark: undefined, loss: lost(5_000), told }));
});

void t.test('what was told is kept with the cursor of the log', async (t) => {
  const cursor = LogCursor.parse('');
  t.same(cursor.told, {});
  const before = cursor.snapshot();
  cursor.tell({ engine: second.id, lostAt: 5 });
  t.same(LogCursor.parse(cursor.snapshot()()).told, { engine: second.id, lostAt: 5 });
  t.same(LogCursor.parse(before()).told, {}, 'a cursor given out before knows nothing of it');
});

void t.test('the pid file of the default engine says nothing of another one', async (t) => {
  const fileOf = (config: object) => pidFileOf(dockerConfig.parse(config));
  t.equal(fileOf({}), '/var/run/docker.pid');
  t.equal(fileOf({ host: 'unix:///run/other.sock' }), undefined);
  t.equal(fileOf({ host: 'unix:///run/other.sock', pidFile: '/run/o.pid' }), '/run/o.pid');
});
