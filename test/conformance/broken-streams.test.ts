import t from 'tap';
import { streamsBreaks } from '../../fixtures/plugins/broken/breaks-streams.ts';
import { RULES } from '../../plugins/conformance/rules.ts';
import type { Need } from '../../plugins/conformance/types.ts';
import { programDir } from '../kit/program-dir.ts';
import { BROKEN, eachBreakFails } from './broken-kit.ts';
import { judge, met } from './kit.ts';

t.setTimeout(300_000);

await t.test('a plugin that breaks a rule of streams fails that rule', (t) =>
  eachBreakFails(t, 'streams', streamsBreaks),
);

// None of our executors claims these.
for (const [capability, ids] of [
  ['exec', ['streams/exec-exit']],
  ['stats', ['streams/stats', 'streams/stats-unknown']],
] as const)
  await t.test(`a plugin that is right keeps its rules of ${capability}`, async (t) => {
    const folder = programDir(t);
    const whole = await met({ command: BROKEN, folder });
    const capabilities = new Set<Need>([...whole.capabilities, capability]);
    const rules = RULES.filter(({ id }) => ids.some((one) => one === id));
    const env = { BREAK: `kept/${capability}` };
    const verdicts = await judge({ ...whole, capabilities }, { rules, folder, env });
    t.strictSame(
      verdicts.map(({ rule, result, reason }) => [rule, result, reason]),
      ids.map((id) => [id, 'pass', '']),
    );
  });
