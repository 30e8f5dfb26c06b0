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

// None of our executors claims it.
await t.test('Exec that answers in order keeps its rule', async (t) => {
  const folder = programDir(t);
  const whole = await met({ command: BROKEN, folder });
  const capabilities = new Set<Need>([...whole.capabilities, 'exec']);
  const rules = RULES.filter(({ id }) => id === 'streams/exec-exit');
  const [verdict] = await judge(
    { ...whole, capabilities },
    { rules, folder, env: { BREAK: 'kept/exec' } },
  );
  t.equal(verdict?.result, 'pass', verdict?.reason ?? 'no verdict');
});
