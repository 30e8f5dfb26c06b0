import t from 'tap';
import { stopBreaks } from '../../fixtures/plugins/broken/breaks-stop.ts';
import { eachBreakFails } from './broken-kit.ts';

t.setTimeout(300_000);

await t.test('a plugin that breaks a rule of stop fails that rule', (t) =>
  eachBreakFails(t, 'stop', stopBreaks),
);
