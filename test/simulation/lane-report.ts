/** What a lane tells at its end. */
import { z } from 'zod';
import { CRASH_POINTS } from '../../core/crash-points.ts';

export const laneReportSchema = z.object({
  scripts: z.number(),
  /** Points that ended a process. */
  crashed: z.array(z.enum(CRASH_POINTS)),
  failure: z
    .object({
      /** Of the batch. */
      seed: z.number(),
      /** The script, shrunk. */
      report: z.string(),
      wrong: z.string(),
    })
    .optional(),
});
export type LaneReport = z.infer<typeof laneReportSchema>;
