/**
 * What a node tells of executions that it prepares: at most one message a second, published and forgotten. What is lost is
 * told again some seconds later, if it still holds.
 */
import { z } from 'zod';
import { liveProgressSchema } from '../core/live-progress.ts';

export const MOST_PROGRESS_BYTES = 32 * 1024;

export const executionProgressSchema = z.object({
  session: z.string(),
  /** Those with news; one that is not named goes on as it was told before. */
  executions: z.array(z.object({ executionId: z.string(), progress: liveProgressSchema })),
});
export type ExecutionProgress = z.infer<typeof executionProgressSchema>;
