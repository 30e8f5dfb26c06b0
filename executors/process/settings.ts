/** What an operator may set and what a job may ask for. */
import { z } from 'zod';

const MIB = 1024 * 1024;

export const config = z.strictObject({
  envAllow: z
    .array(z.string())
    .default([])
    .describe(
      "Regular expressions, matched against the whole name: which variables of the plugin's own environment a command inherits. PATH, HOME, LANG and TZ always are.",
    ),
  limitAddressSpace: z
    .boolean()
    .default(false)
    .describe(
      "Bounds a run's memory by `ulimit -v`. That is address space: too narrow for node, java and others that reserve more than they use, so memory is only accounted for unless this is set.",
    ),
  maxOutputBytes: z
    .int()
    .min(16 * MIB)
    .max(64 * 1024 * MIB)
    .default(1024 * MIB)
    .describe('Bytes of output at which a run is ended when nobody takes any of it for 10 s.'),
  user: z
    .string()
    .optional()
    .describe(
      'Name of the user that commands run as; needs root and setpriv. Without it they run as the plugin does.',
    ),
  maxProcesses: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(4096)
    .describe('Processes of `user`, those of all its runs together; needs prlimit.'),
});

/** Linux starts no program with a longer text among its arguments and variables (128 KiB). */
const MOST_TEXT_BYTES = 128_000;
const text = z
  .string()
  .max(MOST_TEXT_BYTES)
  .regex(/^[^\0]*$/, 'expected a text without NUL')
  .refine(
    (one) => Buffer.byteLength(one) <= MOST_TEXT_BYTES,
    `expected ${MOST_TEXT_BYTES} bytes at most`,
  );

export const params = z.strictObject({
  Command: z
    .array(text.min(1))
    .min(1)
    .describe('Program and arguments; no shell is involved. A plain name is looked up in PATH.'),
  WorkingDirectory: z
    .string()
    .optional()
    .describe("Relative to the run's work folder; '/input' and './input' are the same."),
  EnvironmentVariables: z
    .array(
      text.regex(
        /^(?!LIMPET_|BACALHAU_)[A-Za-z_][A-Za-z0-9_]*=/,
        'expected NAME=value, and no name that begins with LIMPET_ or BACALHAU_',
      ),
    )
    .optional()
    .describe('Beside the variables of the job; these win.'),
});

export type Config = z.infer<typeof config>;
export type Params = z.infer<typeof params>;
