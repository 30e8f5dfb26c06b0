import t from 'tap';
import { exitBreaks } from '../../fixtures/plugins/broken/breaks-exit.ts';
import { eachBreakFails } from './broken-kit.ts';

t.setTimeout(300_000);

await t.test('a plugin that breaks a rule of exit fails that rule', (t) =>
  eachBreakFails(t, 'exit', exitBreaks),
);
