/** A file of tests passes when its process has ended well and has run all that it planned. */
import t from 'tap';
import { TapSummary } from '../../scripts/tap-summary.mjs';
import { asSubtest, type TestProcess } from '../../scripts/test-process.mjs';

const WELL = { exitCode: 0, signal: null };
const PASSED = ['TAP version 14', 'ok 1 - one', 'ok 2 - two', '1..2', '# time=3ms'];

function summarise(lines: readonly string[], facts: TestProcess['facts'] = WELL) {
  const printed: string[] = [];
  const summary = new TapSummary((line) => printed.push(line));
  for (const line of asSubtest('a.test.ts', { lines, facts, ms: 1_234 })) summary.line(line);
  summary.end();
  return { counts: summary.counts, printed: printed.join('\n') };
}

t.test('all that was planned has passed', async (t) => {
  const { counts, printed } = summarise(PASSED);
  t.equal(counts, '2 passed, 0 failed, 0 skipped');
  t.equal(printed, 'ok   a.test.ts (1.2 s)');
});

t.test('a process that ends badly has failed, whatever its tests say', async (t) => {
  const code = summarise(PASSED, { exitCode: 3, signal: null });
  t.equal(code.counts, '2 passed, 1 failed, 0 skipped');
  t.equal(code.printed, 'FAIL a.test.ts\n     exitCode: 3');
  const killed = summarise(PASSED, { exitCode: null, signal: 'SIGKILL' });
  t.equal(killed.printed, 'FAIL a.test.ts\n     signal: SIGKILL');
  const late = summarise(PASSED, { exitCode: 0, signal: null, expired: '900 s' });
  t.equal(late.printed, 'FAIL a.test.ts\n     exitCode: 0\n     expired: 900 s');
  const never = summarise([], { error: 'spawn ENOENT' });
  t.equal(never.printed, 'FAIL a.test.ts\n     error: spawn ENOENT');
});

t.test('a process that ends well before its plan, or short of it, has failed', async (t) => {
  const early = summarise(PASSED.slice(0, 2));
  t.equal(early.counts, '1 passed, 1 failed, 0 skipped');
  t.match(early.printed, 'error: it ended before its tests');
  const short = summarise(['ok 1 - one', '1..2']);
  t.match(short.printed, 'error: it has 1 tests of 2');
  t.match(summarise(['    1..2', '    ok 1 - x']).printed, 'it ended before its tests');
});

t.test('a file without tests is skipped, with its reason', async (t) => {
  const { counts, printed } = summarise(['TAP version 14', '1..0 # needs an engine']);
  t.equal(counts, '0 passed, 0 failed, 1 skipped');
  t.equal(printed, 'skip a.test.ts: needs an engine');
});
