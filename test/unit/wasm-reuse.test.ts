/** When a runner may serve another run, and when its process may be killed for one. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { orderKill } from '../../executors/wasm/record.ts';
import { mayServeAgain, type Served } from '../../executors/wasm/reuse.ts';
import { tempDir } from '../kit/temp-dir.ts';

const MIB = 2 ** 20;
const fresh: Served = {
  ...{ runs: 1, maxRuns: 200, sinceFirstMs: 10, guestBytes: 65_536, residentBytes: 60 * MIB },
};

await t.test('a runner serves again until it is used up, old or large', async (t) => {
  t.equal(mayServeAgain(fresh), true);
  const spent: readonly Partial<Served>[] = [
    { runs: 200 },
    { maxRuns: 1 },
    { sinceFirstMs: 60_000 },
    { guestBytes: 33 * MIB },
    { residentBytes: 161 * MIB },
  ];
  for (const part of spent)
    t.equal(mayServeAgain({ ...fresh, ...part }), false, JSON.stringify(part));
});

await t.test('what is refused once is not allowed for more of anything', async (t) => {
  const served = fc.record({
    runs: fc.integer({ min: 1, max: 400 }),
    maxRuns: fc.integer({ min: 1, max: 400 }),
    sinceFirstMs: fc.integer({ min: 0, max: 120_000 }),
    guestBytes: fc.integer({ min: 0, max: 64 * MIB }),
    residentBytes: fc.integer({ min: 0, max: 400 * MIB }),
  });
  fc.assert(
    fc.property(served, fc.nat(1000), (one, more) => {
      const later = { ...one, runs: one.runs + more, sinceFirstMs: one.sinceFirstMs + more };
      return mayServeAgain(one) || !mayServeAgain(later);
    }),
  );
  t.pass();
});

await t.test('a run with an exit record is no reason to kill, and gets no order', async (t) => {
  const folder = tempDir(t, 'lwr-');
  writeFileSync(join(folder, 'exit'), 'exit 0 1 \n');
  t.equal(orderKill(folder), false);
  t.equal(existsSync(join(folder, 'stop')), false);
});

await t.test('before a process is killed its runner finds the order', async (t) => {
  const folder = tempDir(t, 'lwr-');
  t.equal(orderKill(folder), true);
  t.equal(readFileSync(join(folder, 'stop'), 'utf8'), 'stop 9 0 removed\n');
  const ordered = tempDir(t, 'lwr-');
  writeFileSync(join(ordered, 'stop'), 'limit 15 1000 drained\n');
  t.equal(orderKill(ordered), true);
  t.equal(
    readFileSync(join(ordered, 'stop'), 'utf8'),
    'limit 15 1000 drained\n',
    'the first stays',
  );
});
