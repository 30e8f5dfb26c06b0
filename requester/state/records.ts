/** What the requester stores. Every record carries `v`; times are ms since the epoch. */
import { z } from 'zod';
import { EXECUTION_STATES } from '../../core/execution/states.ts';
import { OUTCOME_CAUSES } from '../../core/execution/outcome.ts';
import { parseEvaluationId, parseExecutionId, parseJobId, parseNodeId } from '../../core/ids.ts';
import { JOB_STATES, type JobSpec } from '../../core/job.ts';
import { nodeInfoSchema } from '../../wire/messages.ts';

const jobId = z.string().transform(parseJobId);
const executionId = z.string().transform(parseExecutionId);
const nodeId = z.string().transform(parseNodeId);
const evaluationId = z.string().transform(parseEvaluationId);

export const resourcesSchema = z.object({
  cpuMillis: z.number(),
  memoryBytes: z.number(),
  diskBytes: z.number(),
  gpus: z.number(),
});

export const jobRecordSchema = z.object({
  v: z.literal(1),
  id: jobId,
  /** Parsed and complete when it was stored; the store's checksum guards it. */
  spec: z.custom<JobSpec>((value) => typeof value === 'object' && value !== null),
  name: z.string(),
  /** Of the task as it was sent, see design/executions.md. */
  specHash: z.string(),
  /** What one partition takes. */
  wanted: resourcesSchema,
  /** Of ops and daemon: the nodes it runs on, in the order of its partitions; absent until the first matches. */
  nodes: z.array(nodeId).exactOptional(),
  version: z.number().int(),
  /** Grows with every change of state or message. */
  revision: z.number().int(),
  state: z.enum(JOB_STATES),
  /** Why it is in this state, one line; '' when there is nothing to say. */
  message: z.string(),
  evaluationId,
  createdAt: z.number(),
  modifiedAt: z.number(),
  /** Number of the last history item. */
  historySeq: z.number().int(),
  /** Name of the API token that it was submitted with; absent when the file `token` was. */
  submittedBy: z.string().exactOptional(),
});
export type JobRecord = Readonly<z.infer<typeof jobRecordSchema>>;

export const executionRecordSchema = z.object({
  v: z.literal(1),
  id: executionId,
  jobId,
  nodeId,
  evaluationId,
  token: z.object({
    jobVersion: z.number().int(),
    partition: z.number().int(),
    attempt: z.number().int(),
  }),
  wanted: resourcesSchema,
  executor: z.string(),
  desired: z.enum(['run', 'stop']),
  desiredReason: z.string(),
  /** As the node last reported it; `accepted` until it has. */
  state: z.enum(EXECUTION_STATES),
  /** The node's revision; 0 until the first report. */
  revision: z.number().int(),
  run: z.number().int(),
  outcome: z
    .object({
      by: z.enum(OUTCOME_CAUSES),
      code: z.number().int().exactOptional(),
      reason: z.string(),
    })
    .exactOptional(),
  reason: z.string(),
  placedAt: z.number(),
  modifiedAt: z.number(),
  deadlineAt: z.number().exactOptional(),
  startedAt: z.number().exactOptional(),
  finishedAt: z.number().exactOptional(),
  published: z
    .object({ type: z.string(), params: z.record(z.string(), z.unknown()) })
    .exactOptional(),
  stdout: z.string().exactOptional(),
  stderr: z.string().exactOptional(),
});
export type ExecutionRecord = Readonly<z.infer<typeof executionRecordSchema>>;

/** An execution that a node has found without a record, and what its owner has said to it. */
const nodeForeignSchema = z.object({
  executionId: z.string(),
  executor: z.string(),
  run: z.number().int(),
  state: z.enum(EXECUTION_STATES),
  answer: z.enum(['yours', 'ended', 'unknown']),
});
export type NodeForeign = Readonly<z.infer<typeof nodeForeignSchema>>;

export const nodeRecordSchema = z.object({
  v: z.literal(1),
  id: nodeId,
  instanceId: z.string(),
  /** As told at the last handshake; executors also by heartbeats. */
  info: nodeInfoSchema,
  membership: z.object({
    state: z.enum(['approved', 'pending', 'rejected']),
    reason: z.string(),
    by: z.string(),
    at: z.number(),
  }),
  connection: z.object({
    state: z.enum(['connected', 'unknown', 'unhealthy']),
    reason: z.string(),
    at: z.number(),
  }),
  scheduling: z.object({
    state: z.enum(['eligible', 'ineligible']),
    reason: z.string(),
    by: z.string(),
    at: z.number(),
  }),
  /** The link session in force; '' before the first accepted handshake. */
  session: z.string(),
  /** Boot id and start time of the agent process that shook hands. */
  process: z.string(),
  processStartedAt: z.number(),
  /** Sessions that were replaced, youngest last, with the process that held them. */
  replaced: z.array(z.object({ session: z.string(), process: z.string() })),
  /** Executions that should be there, were not listed, and whose executor was still recovering. */
  unlisted: z.array(executionId),
  foreign: z.array(nodeForeignSchema).exactOptional(),
  /** Another agent that came under this id, and was sent away: who, and when last. */
  copy: z.object({ who: z.string(), reason: z.string(), at: z.number() }).exactOptional(),
  firstSeenAt: z.number(),
});
export type NodeRecord = Readonly<z.infer<typeof nodeRecordSchema>>;

export const historyItemSchema = z.object({
  v: z.literal(1),
  seq: z.number().int(),
  jobVersion: z.number().int(),
  executionId: z.string().exactOptional(),
  topic: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.string()),
  /** When it happened, and when it was recorded. */
  at: z.number(),
  recordedAt: z.number(),
});
export type HistoryItem = Readonly<z.infer<typeof historyItemSchema>>;
