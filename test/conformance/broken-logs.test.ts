import t from 'tap';
import { logsBreaks } from '../../fixtures/plugins/broken/breaks-logs.ts';
import { eachBreakFails } from './broken-kit.ts';

t.setTimeout(300_000);

await t.test('a plugin that breaks a rule of logs fails that rule', (t) =>
  eachBreakFails(t, 'logs', logsBreaks),
);
