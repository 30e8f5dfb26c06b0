/** What became of the order to read a config again. */
import { z } from 'zod';

export const reloadReportSchema = z.object({
  /** ms since the epoch. */
  at: z.number(),
  /** `refused`: the config is wrong and nothing has changed. `partly`: see `reason`, the rest is in force. */
  result: z.enum(['reloaded', 'partly', 'refused']),
  reason: z.string(),
  /** Paths of fields that have changed and count from now on. */
  changed: z.array(z.string()).readonly(),
  /** Those that count from the next start on. */
  later: z.array(z.string()).readonly(),
});
export type ReloadReport = Readonly<z.infer<typeof reloadReportSchema>>;

/** One line for people. */
export function reloadLine({ result, reason, changed, later }: ReloadReport): string {
  if (result === 'refused') return `nothing has changed: ${reason}`;
  return [
    changed.length === 0 ? 'nothing has changed' : `changed: ${changed.join(', ')}`,
    ...(later.length === 0 ? [] : [`at the next start: ${later.join(', ')}`]),
    ...(reason === '' ? [] : [`not done: ${reason}`]),
  ].join('; ');
}
