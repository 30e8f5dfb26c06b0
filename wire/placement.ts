/** Parses a Placement and a stored execution out of JSON: what arrives on the link and what the store gives back. */
import { z } from 'zod';
import { JOB_KINDS, type Placement } from '../core/job.ts';
import {
  LEAST_LEASE_MS,
  LEAST_RESTART_DELAY_MS,
  MAX_RESTART_TIME_MS,
  MAX_RESTARTS,
} from '../core/job-defaults.ts';
import { parseExecutionId, parseJobId, parseNodeId } from '../core/ids.ts';
import { LimpetError } from '../core/errors.ts';
import type { ExecutionRecord } from '../core/execution/record.ts';
import { EXECUTION_STATES } from '../core/execution/states.ts';
import { outcomeSchema, tokenSchema } from './messages.ts';

const text = z.record(z.string(), z.string());
const specConfig = z.object({
  Type: z.string(),
  Params: z.record(z.string(), z.unknown()).optional(),
});

const taskSchema = z.object({
  Name: z.string(),
  Engine: specConfig,
  Publisher: specConfig.optional(),
  Env: text.optional(),
  Meta: text.optional(),
  InputSources: z
    .array(z.object({ Source: specConfig, Alias: z.string().optional(), Target: z.string() }))
    .optional(),
  ResultPaths: z.array(z.object({ Name: z.string(), Path: z.string() })).optional(),
  Resources: z.object({
    CPU: z.string().optional(),
    Memory: z.string().optional(),
    Disk: z.string().optional(),
    GPU: z.string().optional(),
  }),
  Network: z.object({
    Type: z.enum(['none', 'default', 'host', 'bridge', 'http']),
    Domains: z.array(z.string()).optional(),
    Ports: z.array(z.unknown()).optional(),
  }),
  Timeouts: z.object({
    ExecutionTimeout: z.number().optional(),
    QueueTimeout: z.number().optional(),
    TotalTimeout: z.number().optional(),
  }),
});

const timeMs = z.int().min(0).max(MAX_RESTART_TIME_MS);
const delayMs = timeMs.min(LEAST_RESTART_DELAY_MS);
const restartRule = z
  .object({
    attempts: z.int().min(0).max(MAX_RESTARTS).optional(),
    delayMs,
    maxDelayMs: delayMs,
    resetAfterMs: timeMs,
  })
  .refine((rule) => rule.maxDelayMs >= rule.delayMs, {
    path: ['maxDelayMs'],
    error: 'expected at least delayMs',
  });

const placementSchema = z.object({
  executionId: z.string().transform(parseExecutionId),
  jobId: z.string().transform(parseJobId),
  jobName: z.string(),
  namespace: z.string(),
  nodeId: z.string().transform(parseNodeId),
  owner: z.string(),
  kind: z.enum(JOB_KINDS),
  token: tokenSchema,
  count: z.number().int(),
  specHash: z.string(),
  task: taskSchema,
  deadlineAt: z.number().optional(),
  restart: restartRule.optional(),
  leaseMs: timeMs.min(LEAST_LEASE_MS).optional(),
});

const stopReason = z.object({ by: z.enum(['stop', 'limit']), reason: z.string() });
const recordSchema = z.object({
  v: z.literal(1),
  placement: placementSchema,
  state: z.enum(EXECUTION_STATES),
  run: z.number().int(),
  revision: z.number().int(),
  acceptedAt: z.number(),
  changedAt: z.number(),
  stop: stopReason.optional(),
  digest: z.string().optional(),
  handle: z.string().optional(),
  startedAt: z.number().optional(),
  finishedAt: z.number().optional(),
  outcome: outcomeSchema.optional(),
  failureRestarts: z.number().int(),
  lostRestarts: z.number().int(),
  nextAt: z.number().optional(),
  reason: z.string(),
  published: z.object({ type: z.string(), params: z.record(z.string(), z.unknown()) }).optional(),
  output: z.object({ stdout: z.string(), stderr: z.string() }).optional(),
  removed: z.boolean(),
  unconfirmed: z.literal(true).optional(),
  launchedRun: z.number().int().optional(),
  foreign: z
    .object({
      since: z.number(),
      unknown: z.array(z.string()),
      answer: z
        .object({
          by: z.enum(['owner', 'operator']),
          word: z.enum(['adopt', 'stop']),
          at: z.number(),
        })
        .optional(),
    })
    .optional(),
});

function parse<T>(schema: z.ZodType, what: string, value: unknown): T {
  const result = schema.safeParse(value);
  // The schemas above mirror the types; zod's optional keys are wider than exactOptionalPropertyTypes.
  if (result.success) return result.data as T;
  const issue = result.error.issues[0];
  throw new LimpetError(
    'invalid-argument',
    `${what}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`,
  );
}

/** Throws `invalid-argument` with the path of what is wrong. */
export function parsePlacement(value: unknown): Placement {
  return parse<Placement>(placementSchema, 'placement', value);
}

/** Throws `invalid-argument` with the path of what is wrong. */
export function parseRecord(value: unknown): ExecutionRecord {
  return parse<ExecutionRecord>(recordSchema, 'execution record', value);
}
