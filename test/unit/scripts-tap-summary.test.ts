import t from 'tap';
import { TapSummary } from '../../scripts/tap-summary.mjs';

function summarise(tap: string): { counts: string; printed: string } {
  const lines: string[] = [];
  const summary = new TapSummary((line) => lines.push(line));
  for (const line of tap.split('\n')) summary.line(line);
  summary.end();
  return { counts: summary.counts, printed: lines.join('\n') };
}

t.test(
  'assertions are counted, not the tests around them; failures show where and why',
  async (t) => {
    const { counts, printed } = summarise(`TAP version 14
# Subtest: a.test.ts
    # Subtest: outer
        ok 1 - one
        # Subtest: inner
            not ok 1 - differs
              ---
              diff: |
                -2
                not ok 9 - text inside a diagnosis
              ...
            ok 2 - fine
            1..2
        not ok 2 - inner # time=2ms
          ---
          at: somewhere
          ...
        1..2
    not ok 1 - outer # time=3ms
    ok 2 - later # SKIP needs x
    1..2
not ok 1 - a.test.ts # time=4ms
1..1
# { total: 4, pass: 2, fail: 1, skip: 1 }`);
    t.equal(counts, '2 passed, 1 failed, 1 skipped');
    t.match(printed, 'FAIL a.test.ts > outer > inner > differs\n     diff: |\n       -2');
    t.match(printed, 'skip a.test.ts > later: needs x');
    t.notMatch(printed, 'somewhere');
  },
);

t.test('a file that cannot be loaded is one failure, with its exit code', async (t) => {
  const { counts, printed } = summarise(`# Subtest: c.test.ts
    1..0 # no tests found
not ok 1 - c.test.ts # time=1306.003ms
  ---
  command: /usr/bin/node
  exitCode: 1
  signal: null
  ...`);
  t.equal(counts, '0 passed, 1 failed, 0 skipped');
  t.match(printed, 'FAIL c.test.ts\n     exitCode: 1');
});

t.test('a file whose tests pass and which then fails is one failure', async (t) => {
  const { counts } = summarise(`# Subtest: g.test.ts
    ok 1 - fine
    1..1
not ok 1 - g.test.ts # time=2ms
ok 2 - h.test.ts # time=2ms`);
  t.equal(counts, '2 passed, 1 failed, 0 skipped');
});

t.test('a skipped file counts once', async (t) => {
  const { counts, printed } = summarise(`# Subtest: b.test.ts
    1..0 # needs docker
ok 1 - b.test.ts # SKIP needs docker
# Subtest: d.test.ts
    ok 1 - fine
    1..1
ok 2 - d.test.ts # time=1240.7ms`);
  t.equal(counts, '1 passed, 0 failed, 1 skipped');
  t.equal(printed, 'ok   d.test.ts (1.2 s)\nskip b.test.ts: needs docker');
});

t.test('a run without any test is a failure', async (t) => {
  t.equal(summarise('TAP version 14\n1..0').counts, '0 passed, 1 failed, 0 skipped');
});
