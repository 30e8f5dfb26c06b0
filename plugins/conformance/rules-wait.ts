/**
 * The rules of Wait, a long poll.
 *
 *   runs/wait-many   20 Waits on a live run, then its end      none answers before, all answer with the end soon after
 *   runs/wait-bound  Wait with half a second on a live run     answers in time, with the run as it is
 *   runs/wait-ended  Wait on an ended run                      answers at once
 */
import { setTimeout as delay } from 'node:timers/promises';
import { demand, demandEqual, endText, phaseText } from './expect.ts';
import { ended, stop } from './steps.ts';
import type { Rule } from './types.ts';
import { within } from './wait.ts';
import { ticking, withRun } from './work.ts';

const WAITERS = 20;
const QUIET_MS = 400;
const LONG_MS = 50_000;
const SOON_MS = 15_000;
const AT_ONCE_MS = 3000;

const many: Rule = {
  id: 'runs/wait-many',
  title: `${WAITERS} Waits on one run answer at its end, all of them, and none before`,
  needs: ['long'],
  async check(bench) {
    const { plugin } = bench;
    const { key } = await ticking(bench, 'long');
    let answered = 0;
    const waits = Array.from({ length: WAITERS }, async () => {
      const seen = await plugin.calls.wait({ key, timeoutMs: LONG_MS }, { deadlineMs: LONG_MS });
      answered += 1;
      return seen;
    });
    const all = Promise.all(waits);
    all.catch(() => undefined);
    await delay(QUIET_MS);
    demandEqual('answers before the end:', answered, 0);
    await stop(plugin, { key });
    const states = await within(`an answer to all ${WAITERS}`, SOON_MS, all);
    const ends = [...new Set(states.map(endText))];
    demand(ends.length === 1, 'the same end for all', ends.join(' | '));
    demand(ends[0]?.startsWith('exited') === true, 'the end of the run', ends.join(''));
  },
};

const bounded: Rule = {
  id: 'runs/wait-bound',
  title: 'Wait answers with the live run when its time is over',
  needs: ['long'],
  shares: true,
  check: ({ plugin, spec }) =>
    withRun(plugin, spec('long'), async ({ key }) => {
      const bound = { deadlineMs: AT_ONCE_MS + 2000 };
      const wait = plugin.calls.wait({ key, timeoutMs: 500 }, bound);
      const seen = await within('an answer', AT_ONCE_MS, wait);
      demandEqual('phase', phaseText(seen), 'running');
    }),
};

const after: Rule = {
  id: 'runs/wait-ended',
  title: 'Wait on an ended run answers at once',
  needs: ['fails'],
  shares: true,
  check: ({ plugin, spec }) =>
    withRun(plugin, spec('fails'), async (run) => {
      await ended(plugin, run);
      const wait = plugin.calls.wait({ key: run.key, timeoutMs: LONG_MS });
      const seen = await within('an answer', AT_ONCE_MS, wait);
      demandEqual('its end', endText(seen), 'exited, exit 7');
    }),
};

export const waitRules: readonly Rule[] = [many, bounded, after];
