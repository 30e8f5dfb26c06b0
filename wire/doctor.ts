/** What `agent --doctor` and `requester --doctor` print, and `limpet doctor --output json` hands on. */
import { z } from 'zod';

/** `skipped`: it could not be looked at, and `found` says why. */
export const CHECK_RESULTS = ['ok', 'warn', 'fail', 'skipped'] as const;

export const doctorCheckSchema = z.object({
  /** Stable, such as `store` or `plugin docker`. */
  name: z.string(),
  result: z.enum(CHECK_RESULTS),
  /** One line. */
  found: z.string(),
  /** What to do; '' when there is nothing to do. */
  fix: z.string(),
});
export type DoctorCheck = z.infer<typeof doctorCheckSchema>;

export const doctorReportSchema = z.object({
  v: z.literal(1),
  program: z.enum(['agent', 'requester']),
  /** Of the program that looked. */
  version: z.string(),
  /** Whether the program whose folder this is runs and answers. */
  running: z.boolean(),
  checks: z.array(doctorCheckSchema),
});
export type DoctorReport = z.infer<typeof doctorReportSchema>;
