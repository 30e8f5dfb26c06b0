import t from 'tap';
import { recoveryBreaks } from '../../fixtures/plugins/broken/breaks-recovery.ts';
import { eachBreakFails } from './broken-kit.ts';

t.setTimeout(300_000);

await t.test('a plugin that breaks a rule of recovery fails that rule', (t) =>
  eachBreakFails(t, 'recovery', recoveryBreaks),
);
