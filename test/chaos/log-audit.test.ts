import t from 'tap';
import { auditLog } from './log-audit.ts';

const out = (text: string) => ({ stream: 'stdout', text }) as const;
const gap = { stream: 'gap', text: 'the engine restarted' } as const;
const kindOf = (...parts: Parameters<typeof auditLog>[0]) => auditLog(parts, 3).finding?.kind;

t.test('a line may be missing only where the log tells of a gap', async (t) => {
  t.equal(kindOf(out('line 1\nli'), out('ne 2\nline 3\n')), undefined);
  t.equal(kindOf(out('line 1\n'), gap, out('line 2\nline 3\n')), undefined);
  t.equal(kindOf(out('line 1\nline 3\n')), 'lost');
  t.equal(kindOf(out('line 1\nline 2\n')), 'lost');
  t.same(auditLog([out('line 1\n'), gap, out('line 3\n')], 3), { finding: undefined, missing: 1 });
  t.same(auditLog([out('line 1\n'), gap], 3), { finding: undefined, missing: 2 });
  t.equal(kindOf(gap, out('line 1\nline 3\n')), 'lost', 'the gap is elsewhere');
});

t.test('no gap excuses a line that comes twice or out of order', async (t) => {
  t.equal(kindOf(out('line 1\n'), gap, out('line 1\nline 2\nline 3\n')), 'doubled');
  t.equal(kindOf(out('line 2\n'), gap, out('line 1\nline 3\n')), 'lost');
  t.equal(kindOf(gap, out('line 2\nline 1\nline 3\n')), 'out of order');
  t.equal(kindOf(out('line 1\nline 2\nline 3\nline 4\n')), 'out of order');
});
