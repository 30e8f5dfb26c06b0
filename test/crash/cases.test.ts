import t from 'tap';
import { CRASH_POINTS } from '../../core/crash-points.ts';
import { allCases, casesBySeed, ownerOf } from './cases.ts';
import { EXECUTORS } from './work.ts';

t.test('a seed takes every point once, and the same case again', (t) => {
  for (const executor of EXECUTORS) {
    const cases = casesBySeed('4711', executor);
    t.same(
      cases.map(({ point }) => point),
      CRASH_POINTS,
    );
    t.same(casesBySeed('4711', executor), cases);
  }
  t.notSame(casesBySeed('4711', 'wasm'), casesBySeed('4711', 'docker'), 'others elsewhere');
  t.notSame(casesBySeed('4711', 'wasm'), casesBySeed('4712', 'wasm'), 'and with another seed');
  t.end();
});

t.test('all cases have every victim at every point', (t) => {
  for (const point of CRASH_POINTS) {
    const victims = new Set(allCases().flatMap((one) => (one.point === point ? one.victim : [])));
    t.equal(victims.size, point === 'agent.plugin.intent-written' ? 1 : 3, point);
    t.match(ownerOf(point), /^(agent|plugin|requester)$/);
  }
  t.end();
});
