/** What the work of a simulated run does; it travels in the task's params, as a command line would. */
import { z } from 'zod';
import type { RunOrder } from '../../agent/plugins/port.ts';

const planSchema = z.object({
  /** It ends by itself after this, with this code. */
  afterMs: z.number(),
  code: z.number(),
  /** From TERM to its end; absent: it does not care for TERM. */
  termMs: z.number().optional(),
});
export type Plan = z.infer<typeof planSchema>;

const paramsSchema = z.object({ runs: z.array(planSchema) });

const FALLBACK: Plan = { afterMs: 1_000, code: 0 };

/** The last plan serves all further runs. */
export function planOf({ params, ref }: RunOrder): Plan {
  const { runs } = paramsSchema.parse(params);
  return runs[ref.run] ?? runs.at(-1) ?? FALLBACK;
}
