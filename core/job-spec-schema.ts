/**
 * The schema of a job whose keys are spelled (job-spec-shape): types, texts and single values. What spans several
 * values is in job-spec-rules. The message of each check says what is allowed; the description of each field, which
 * editors show, says what it is for.
 */
import { z } from 'zod';
import {
  DEFAULT_NAMESPACE,
  LEAST_LEASE_MS,
  LEAST_RESTART_DELAY_MS,
  MAX_COUNT,
  MAX_RESTART_TIME_MS,
  MAX_RESTARTS,
} from './job-defaults.ts';
import { A_TEXT, duration, text, texts, wholeNumber } from './job-spec-values.ts';
import { taskSchema } from './job-task-schema.ts';
import { JOB_KINDS } from './job.ts';
import type { ConstraintOperator } from './job.ts';

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
    Key: text.describe('Name of the label.'),
    Operator: z
      .enum(OPERATORS, `one of ${OPERATORS.join(' ')}`)
      .describe(
        'How it compares; exists and ! (is not there) take no values, gt and lt one number.',
      ),
    Values: z
      .array(z.string(A_TEXT), 'a list of strings')
      .nullable()
      .default([])
      .describe('What it is compared with.'),
  },
  'a mapping with Key, Operator, Values',
);

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
      .exactOptional()
      .describe('Restarts at most, or unlimited. Missing: none of batch and ops, else unlimited.'),
    Delay: delay.exactOptional().describe('Before the first one, such as 1s; doubled each time.'),
    MaxDelay: delay.exactOptional().describe('What the delay grows to, such as 60s.'),
    ResetAfter: duration(0, MAX_RESTART_TIME_MS, 'a time up to 24h such as 5m')
      .exactOptional()
      .describe('A run that lasts so long, such as 5m, begins the count anew.'),
  },
  'a mapping with Attempts, Delay, MaxDelay, ResetAfter',
);

const A_DISCONNECT = 'keep, or a mapping with StopAfter such as {StopAfter: 3m}';
const stopAfter = duration(LEAST_LEASE_MS, MAX_RESTART_TIME_MS, 'a time from 1s to 24h such as 3m');
const disconnect = z
  .preprocess(
    (value) => (value === 'keep' ? {} : value),
    z.object(
      {
        StopAfter: stopAfter
          .exactOptional()
          .describe('The longest without a word from the requester, such as 3m.'),
      },
      A_DISCONNECT,
    ),
  )
  .transform(({ StopAfter }) => (StopAfter === undefined ? ('keep' as const) : { StopAfter }));

export const jobSchema = z.object({
  Name: text
    .exactOptional()
    .describe('One live job of a name in a namespace. The id when missing.'),
  Namespace: text.default(DEFAULT_NAMESPACE).describe('Names are told apart by it.'),
  Type: z
    .enum(JOB_KINDS, `one of ${JOB_KINDS.join(', ')} (lower case)`)
    .describe(
      'batch: Count runs to their end. ops: one on each matching node. service: Count runs, kept running. daemon: one on each matching node, kept running.',
    ),
  Priority: wholeNumber(-1e9, 1e9).default(0).describe('Higher ones are placed first.'),
  Count: wholeNumber(0, MAX_COUNT)
    .exactOptional()
    .describe('Partitions of a batch or service job. 1 when it is missing.'),
  Constraints: z
    .array(constraint, 'a list of constraints')
    .default([])
    .describe('Labels that a node has to have.'),
  Meta: texts.default({}).describe('Texts by name, for people and programs.'),
  Labels: texts.default({}).describe('Labels of the job, by which lists can be asked.'),
  RestartPolicy: restartPolicy
    .exactOptional()
    .describe('How often the node itself starts a run again.'),
  Disconnect: disconnect
    .exactOptional()
    .describe(
      'What happens while the node does not reach the requester: keep, or StopAfter a time.',
    ),
  Tasks: z.tuple([taskSchema], 'a list of exactly one task').describe('Exactly one: what is run.'),
});

export type ParsedJob = z.infer<typeof jobSchema>;
