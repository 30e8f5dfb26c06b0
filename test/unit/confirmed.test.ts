/** After a store has lost something: what the owner knows of an execution, against what is stored. */
import t from 'tap';
import { decide } from '../../core/execution/decide.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import type { ExecutionState } from '../../core/execution/states.ts';
import { transition } from '../../core/execution/transition.ts';
import { observed, record } from '../kit/records.ts';

const NOW = 5_000;

function told(
  stored: ExecutionRecord,
  known: { readonly state: ExecutionState; readonly run: number; readonly revision: number },
): ExecutionRecord {
  const result = transition(stored, { type: 'confirmed', ...known }, NOW);
  if (result.type === 'ignored') throw new Error(result.reason);
  t.same(result.effects, [], 'nothing is done for it but to look');
  return result.record;
}

const look = (stored: ExecutionRecord, phase: 'absent' | 'running' | 'created') =>
  decide({
    record: stored,
    observed: [observed({ phase, run: stored.run })],
    now: NOW,
    removingTooLong: false,
    unconfirmed: stored.unconfirmed === true,
  }).action;

t.test('as stored: it goes on from there', async (t) => {
  const stored = record({ state: 'preparing', revision: 3, unconfirmed: true });
  t.match(look(stored, 'absent'), { type: 'wait' });
  const now = told(stored, { state: 'preparing', run: 0, revision: 3 });
  t.match(now, { state: 'preparing', revision: 4 });
  t.notOk('unconfirmed' in now);
  t.match(look(now, 'absent'), { type: 'resume' });
});

for (const state of ['accepted', 'preparing', 'starting'] as const)
  t.test(`stored ${state}, and its owner saw it run: it is never started again`, async (t) => {
    const now = told(record({ state, revision: 2, unconfirmed: true }), {
      state: 'running',
      run: 0,
      revision: 7,
    });
    t.match(now, { state: 'starting', revision: 8 }, 'revisions go on above those of the owner');
    t.match(look(now, 'absent'), { type: 'lost' });
    t.match(look(now, 'created'), { type: 'lost' });
    t.match(look(now, 'running'), { type: 'adopt' });
  });

t.test('stored running, and its owner saw the next run: that one counts', async (t) => {
  const stored = record({ state: 'running', revision: 4, startedAt: 2_000, unconfirmed: true });
  const now = told(stored, { state: 'running', run: 1, revision: 9 });
  t.match(now, { state: 'starting', run: 1, launchedRun: 1 });
  t.notOk('startedAt' in now);
  t.match(look(now, 'absent'), { type: 'lost' });
});

t.test('its owner saw the next run about to start: that one is started', async (t) => {
  const stored = record({ state: 'restarting', revision: 4, nextAt: 1, unconfirmed: true });
  const now = told(stored, { state: 'starting', run: 1, revision: 9 });
  t.match(now, { state: 'starting', run: 1 });
  t.match(look(now, 'absent'), { type: 'resume' });
});

t.test('nothing newer, and nothing in doubt: nothing changes', async (t) => {
  for (const state of ['accepted', 'running', 'publishing', 'completed'] as const) {
    const known = { type: 'confirmed', state, run: 0, revision: 3 } as const;
    t.equal(transition(record({ state, revision: 3 }), known, NOW).type, 'ignored');
  }
});
