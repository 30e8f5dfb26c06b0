import t from 'tap';
import { runsBreaks } from '../../fixtures/plugins/broken/breaks-runs.ts';
import { eachBreakFails } from './broken-kit.ts';

t.setTimeout(300_000);

await t.test('a plugin that breaks a rule of runs fails that rule', (t) =>
  eachBreakFails(t, 'runs', runsBreaks),
);
