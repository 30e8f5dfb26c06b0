/** Plugins that break one rule each, and what the suite says of them. */
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Breaks } from '../../fixtures/plugins/broken/bend.ts';
import { RULES } from '../../plugins/conformance/rules.ts';
import type { Need, Rule } from '../../plugins/conformance/types.ts';
import { programDir } from '../kit/program-dir.ts';
import { judge, met, ROOT } from './kit.ts';

export const BROKEN = [process.execPath, join(ROOT, 'dist/fixtures/broken-plugin.js')];

const AT_ONCE = 4;

/** `group/rule`, or `group/rule+variant` where a rule can be broken in more ways than one. */
function ruleOf(name: string): Rule | undefined {
  return RULES.find(({ id }) => id === name.split('+')[0]);
}

/** Each rule of the group has a break, and each break fails its rule. */
export async function eachBreakFails(t: Test, group: string, breaks: Breaks): Promise<void> {
  const folder = programDir(t);
  const names = Object.keys(breaks).filter((name) => name.startsWith(`${group}/`));
  const rules = RULES.filter(({ id }) => id.startsWith(`${group}/`)).map(({ id }) => id);
  t.strictSame(
    rules.filter((id) => !names.includes(id)),
    [],
    'every rule has a break',
  );
  const { subject, ...claimed } = await met({ command: BROKEN, folder });
  const whole = { ...claimed, subject: { ...subject, slow: true } };
  const capabilities = new Set<Need>([...whole.capabilities, 'exec', 'stats']);
  const waiting = [...names.entries()];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, name] = next;
      const rule = ruleOf(name);
      const [verdict] = await judge(
        { ...whole, capabilities },
        {
          rules: rule === undefined ? [] : [rule],
          folder: join(folder, String(index)),
          env: { BREAK: name },
        },
      );
      t.equal(verdict?.result, 'fail', `${name}: ${verdict?.reason ?? 'there is no such rule'}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}
