import t from 'tap';
import { deadlineBreaks } from '../../fixtures/plugins/broken/breaks-deadline.ts';
import { eachBreakFails } from './broken-kit.ts';

t.setTimeout(300_000);

await t.test('a plugin that breaks a rule of deadline fails that rule', (t) =>
  eachBreakFails(t, 'deadline', deadlineBreaks),
);
