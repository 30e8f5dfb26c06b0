/** Prints a plan, or does it: one line for each step, done or not. */
import { note, print, type Context } from '../context.ts';
import { examine, type Progress } from './examine.ts';
import type { Host } from './host.ts';
import { perform } from './perform.ts';
import { contentsOf } from './show.ts';
import { subjectOf, type Step } from './steps.ts';

/** Everything is looked at before anything is changed: what is in the way is said while the host is as it was. */
export function carryOut(
  context: Context,
  host: Host,
  order: { readonly steps: readonly Step[]; readonly dryRun: boolean },
): void {
  const expected = new Set<string>();
  for (const step of order.steps) {
    const todo = examine(host, step, { changed: expected });
    if (todo.length > 0 && 'path' in step) expected.add(step.path);
    if (order.dryRun) show(context, host, { step, todo });
  }
  if (order.dryRun) {
    note(context, 'nothing was changed: --dry-run');
    return;
  }
  const changed = new Set<string>();
  for (const step of order.steps) {
    const progress: Progress = { changed };
    const todo = examine(host, step, progress);
    if (todo.length > 0) {
      perform(host, step, progress);
      if ('path' in step) changed.add(step.path);
    }
    print(context, lineOf('', step, todo));
  }
}

function show(
  context: Context,
  host: Host,
  { step, todo }: { readonly step: Step; readonly todo: readonly string[] },
): void {
  print(context, lineOf(todo.length === 0 ? '' : 'would ', step, todo));
  if (todo.length > 0) for (const line of contentsOf(host, step)) print(context, `    ${line}`);
}

function lineOf(would: string, step: Step, todo: readonly string[]): string {
  return `${subjectOf(step)}: ${todo.length === 0 ? 'nothing to do' : would + todo.join(', ')}`;
}
