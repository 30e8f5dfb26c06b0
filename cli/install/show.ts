/** What a step would write, in full: a new file line by line, a changed one as a difference; nothing of a secret. */
import type { Host } from './host.ts';
import type { Step } from './steps.ts';

export function contentsOf(host: Host, step: Step): readonly string[] {
  if (step.kind !== 'file') return [];
  if (step.secret === true) return [step.content === '' ? '(empty)' : '(secret)'];
  const before = host.read(step.path);
  if (before === step.content) return [];
  if (before === undefined) return linesOf(step.content);
  return difference(linesOf(before), linesOf(step.content));
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  return (lines.at(-1) === '' ? lines.slice(0, -1) : lines).map(withoutSecret);
}

/** A configuration may hold a password of the broker. */
function withoutSecret(line: string): string {
  return line.replace(/("password"\s*:\s*)"(?:[^"\\]|\\.)*"/g, '$1"(secret)"');
}

/** `- ` what goes, `+ ` what comes, `  ` what stays; by the longest common subsequence. */
export function difference(before: readonly string[], after: readonly string[]): string[] {
  const common = lengths(before, after);
  const shown: string[] = [];
  let [left, right] = [0, 0];
  while (left < before.length || right < after.length) {
    const [old, fresh] = [before[left], after[right]];
    if (old !== undefined && old === fresh) {
      shown.push(`  ${old}`);
      left++;
      right++;
    } else if (
      fresh === undefined ||
      (old !== undefined && at(common, left + 1, right) >= at(common, left, right + 1))
    ) {
      shown.push(`- ${old ?? ''}`);
      left++;
    } else {
      shown.push(`+ ${fresh}`);
      right++;
    }
  }
  return shown;
}

/** Of the longest common subsequence from each place on. */
function lengths(before: readonly string[], after: readonly string[]): number[][] {
  const table = before.map(() => after.map(() => 0));
  for (let left = before.length - 1; left >= 0; left--)
    for (let right = after.length - 1; right >= 0; right--) {
      const row = table[left];
      if (row === undefined) continue;
      row[right] =
        before[left] === after[right]
          ? at(table, left + 1, right + 1) + 1
          : Math.max(at(table, left + 1, right), at(table, left, right + 1));
    }
  return table;
}

function at(table: readonly (readonly number[])[], left: number, right: number): number {
  return table[left]?.[right] ?? 0;
}
