/** The events of a log that the requester's API sends, parsed where they arrive. */
import { z } from 'zod';
import type { LogEvent } from '../../wire/http.ts';

export const logEventSchema: z.ZodType<LogEvent> = z.object({
  executionId: z.string(),
  nodeId: z.string(),
  stream: z.enum(['stdout', 'stderr', 'gap']),
  timeMs: z.number(),
  offset: z.number(),
  data: z.string(),
  truncatedBefore: z.number().exactOptional(),
});
