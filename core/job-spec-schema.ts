/**
 * The schema of a job whose keys are spelled (job-spec-shape): types, texts and single values. What spans several
 * values is in job-spec-rules. The message of each check says what is allowed.
 */
import { z } from 'zod';
import { parseDuration } from './duration.ts';
import {
  DEFAULT_NAMESPACE,
  LEAST_LEASE_MS,
  LEAST_RESTART_DELAY_MS,
  MAX_COUNT,
  MAX_RESTART_TIME_MS,
  MAX_RESTARTS,
  MAX_TIMEOUT_S,
} from './job-defaults.ts';
import { JOB_KINDS } from './job.ts';
import type { ConstraintOperator } from './job.ts';
import { parseBytes, parseCpu } from './resources.ts';
import { URL_SOURCE } from './url-source.ts';

const A_TEXT = 'a string (numbers and true or false need quotes)';
const A_MAPPING = 'a mapping';
const WITHOUT_NUL = 'a string without NUL';

const text = z.string(A_TEXT).regex(/^[^\0]*$/, WITHOUT_NUL);
const texts = z.record(z.string(), z.string(A_TEXT), 'a mapping of names to strings');

function wholeNumber(least: number, most: number): z.ZodNumber {
  const expected = `a whole number from ${least} to ${most}`;
  return z.int(expected).min(least, expected).max(most, expected);
}

/** `Type` compares without case; two names of the same source are one. */
function config(synonyms: Readonly<Record<string, string>>, example: string) {
  const expected = `a type such as ${example}`;
  return z.object(
    {
      Type: z
        .string(expected)
        .transform((type) => type.trim().toLowerCase())
        .refine((type) => type !== '', expected)
        .transform((type) => (Object.hasOwn(synonyms, type) ? (synonyms[type] ?? type) : type)),
      Params: z.record(z.string(), z.unknown(), A_MAPPING).nullable().exactOptional(),
    },
    `a mapping with Type (such as ${example}) and Params`,
  );
}

const SOURCE_SYNONYMS = { localdirectory: 'local', urldownload: URL_SOURCE };

function amount(check: (text: string) => unknown, expected: string) {
  return z
    .string(`${expected}, in quotes`)
    .transform((value) => value.toLowerCase().replace(/\s+/g, ''))
    .refine((value) => parses(check, value), expected);
}

function parses(check: (text: string) => unknown, value: string): boolean {
  try {
    check(value);
    return true;
  } catch {
    return false;
  }
}

const BYTES = 'a number and a unit such as 512Mb or 1Gi';
const resources = z.object(
  {
    CPU: amount(parseCpu, 'cores such as 0.5 or 500m').exactOptional(),
    Memory: amount(parseBytes, BYTES).exactOptional(),
    Disk: amount(parseBytes, BYTES).exactOptional(),
    GPU: z
      .string('a count of devices such as 1, in quotes')
      .regex(/^\s*\d{1,4}\s*$/, 'a count of devices such as 1')
      .transform((count) => count.trim())
      .exactOptional(),
  },
  'a mapping with CPU, Memory, Disk, GPU',
);

const NETWORKS = ['none', 'default', 'host', 'bridge', 'http'] as const;
const A_NETWORK = 'none, default, host (or full), bridge or http';
const PORT_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,236}$/;
const HOST_NAME =
  /^\.?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*$/;
const IP = /^[0-9a-fA-F:.]+$/;

const port = z.object(
  {
    Name: z
      .string(A_TEXT)
      .regex(PORT_NAME, 'a letter or _, then letters, digits, _; at most 237 characters'),
    Static: z
      .int('a host port from 1024 to 65535, or 0 for any')
      .refine(
        (n) => n === 0 || (n >= 1024 && n <= 65535),
        'a host port from 1024 to 65535, or 0 for any',
      )
      .exactOptional(),
    Target: wholeNumber(0, 65535).exactOptional(),
    HostNetwork: z.string(A_TEXT).regex(IP, 'an IP address').exactOptional(),
  },
  'a mapping with Name, Static, Target, HostNetwork',
);

const network = z.object(
  {
    Type: z
      .string(A_NETWORK)
      .transform((type) => type.trim().toLowerCase())
      .transform((type) => (type === 'full' ? 'host' : type))
      .pipe(z.enum(NETWORKS, A_NETWORK))
      .default('none'),
    Domains: z
      .array(
        z
          .string('a host name or an IP address')
          .refine((d) => HOST_NAME.test(d) || IP.test(d), 'a host name or an IP address')
          .transform((domain) => domain.toLowerCase()),
        'a list of host names',
      )
      .exactOptional(),
    Ports: z.array(port, 'a list of ports').exactOptional(),
  },
  'a mapping with Type, Domains, Ports',
);

const seconds = wholeNumber(0, MAX_TIMEOUT_S);
const timeouts = z.object(
  {
    ExecutionTimeout: seconds.exactOptional(),
    QueueTimeout: seconds.exactOptional(),
    TotalTimeout: seconds.exactOptional(),
  },
  'a mapping with ExecutionTimeout, QueueTimeout, TotalTimeout in seconds',
);

export const taskSchema = z.object(
  {
    Name: text,
    Engine: config({}, 'docker, wasm or process'),
    Publisher: config({}, 'local').exactOptional(),
    Env: texts.exactOptional(),
    Meta: texts.exactOptional(),
    InputSources: z
      .array(
        z.object(
          {
            Source: config(SOURCE_SYNONYMS, 'inline, local or urlDownload'),
            Alias: text.exactOptional(),
            Target: text,
          },
          'a mapping with Source, Alias, Target',
        ),
        'a list of input sources',
      )
      .exactOptional(),
    ResultPaths: z
      .array(
        z.object({ Name: text, Path: text }, 'a mapping with Name, Path'),
        'a list of result paths',
      )
      .exactOptional(),
    Resources: resources.default({}),
    Network: network.default({ Type: 'none' }),
    Timeouts: timeouts.default({}),
  },
  'a mapping with Name and Engine',
);

const OPERATORS = [
  'in',
  'notin',
  '=',
  '==',
  '!=',
  'exists',
  '!',
  'gt',
  'lt',
] as const satisfies readonly ConstraintOperator[];

const constraint = z.object(
  {
    Key: text,
    Operator: z.enum(OPERATORS, `one of ${OPERATORS.join(' ')}`),
    Values: z.array(z.string(A_TEXT), 'a list of strings').nullable().default([]),
  },
  'a mapping with Key, Operator, Values',
);

/** Kept as it was written, in lower case; the bounds are in milliseconds. */
function duration(least: number, most: number, expected: string) {
  const fits = (text: string): boolean =>
    parses(parseDuration, text) && parseDuration(text) >= least && parseDuration(text) <= most;
  return z
    .string(`${expected}, as text`)
    .transform((text) => text.toLowerCase().replace(/\s+/g, ''))
    .refine(fits, expected);
}

const A_DELAY = 'a time from 100ms to 24h such as 1s';
const delay = duration(LEAST_RESTART_DELAY_MS, MAX_RESTART_TIME_MS, A_DELAY);
const ATTEMPTS = `a whole number from 0 to ${MAX_RESTARTS}, or unlimited`;

const restartPolicy = z.object(
  {
    Attempts: z
      .union(
        [z.int(ATTEMPTS).min(0, ATTEMPTS).max(MAX_RESTARTS, ATTEMPTS), z.literal('unlimited')],
        ATTEMPTS,
      )
      .exactOptional(),
    Delay: delay.exactOptional(),
    MaxDelay: delay.exactOptional(),
    ResetAfter: duration(0, MAX_RESTART_TIME_MS, 'a time up to 24h such as 5m').exactOptional(),
  },
  'a mapping with Attempts, Delay, MaxDelay, ResetAfter',
);

const A_DISCONNECT = 'keep, or a mapping with StopAfter such as {StopAfter: 3m}';
const stopAfter = duration(LEAST_LEASE_MS, MAX_RESTART_TIME_MS, 'a time from 1s to 24h such as 3m');
const disconnect = z
  .preprocess(
    (value) => (value === 'keep' ? {} : value),
    z.object({ StopAfter: stopAfter.exactOptional() }, A_DISCONNECT),
  )
  .transform(({ StopAfter }) => (StopAfter === undefined ? ('keep' as const) : { StopAfter }));

export const jobSchema = z.object({
  Name: text.exactOptional(),
  Namespace: text.default(DEFAULT_NAMESPACE),
  Type: z.enum(JOB_KINDS, `one of ${JOB_KINDS.join(', ')} (lower case)`),
  Priority: wholeNumber(-1e9, 1e9).default(0),
  Count: wholeNumber(0, MAX_COUNT).exactOptional(),
  Constraints: z.array(constraint, 'a list of constraints').default([]),
  Meta: texts.default({}),
  Labels: texts.default({}),
  RestartPolicy: restartPolicy.exactOptional(),
  Disconnect: disconnect.exactOptional(),
  Tasks: z.tuple([taskSchema], 'a list of exactly one task'),
});

export type ParsedJob = z.infer<typeof jobSchema>;
export type ParsedTask = z.infer<typeof taskSchema>;
