/** Our own streams (wire/http.ts), parsed where they arrive. */
import { z } from 'zod';
import { OUTCOME_CAUSES } from '../../core/execution/outcome.ts';
import { liveProgressSchema } from '../../core/live-progress.ts';
import { EXECUTION_STATES } from '../../core/execution/states.ts';
import type { LogEnd, WatchEvent } from '../../wire/http.ts';

const outcome = z.object({
  by: z.enum(OUTCOME_CAUSES),
  code: z.int().exactOptional(),
  reason: z.string(),
});

export const watchEventSchema: z.ZodType<WatchEvent> = z.object({
  job: z.object({ id: z.string(), state: z.string(), message: z.string() }),
  executions: z.array(
    z.object({
      id: z.string(),
      nodeId: z.string(),
      partition: z.int(),
      attempt: z.int(),
      state: z.enum(EXECUTION_STATES),
      run: z.int(),
      outcome: outcome.exactOptional(),
      reason: z.string(),
      progress: liveProgressSchema.exactOptional(),
    }),
  ),
});

export const logEndSchema: z.ZodType<LogEnd> = z.object({ code: z.string(), message: z.string() });
