/** What crosses NATS between agent and requester: JSON, each message parsed once by its schema at the edge. */
import { z } from 'zod';
import { OUTCOME_CAUSES } from '../core/execution/outcome.ts';
import { EXECUTION_STATES } from '../core/execution/states.ts';

export const PROTOCOL_VERSION = 1;

const resources = z.object({
  cpuMillis: z.number(),
  memoryBytes: z.number(),
  diskBytes: z.number(),
  gpus: z.number(),
});

export const outcomeSchema = z.object({
  by: z.enum(OUTCOME_CAUSES),
  code: z.number().int().optional(),
  reason: z.string(),
});

export const tokenSchema = z.object({
  jobVersion: z.number().int(),
  partition: z.number().int(),
  attempt: z.number().int(),
});

/** One event of an execution, as the agent recorded it. */
export const executionEventSchema = z.object({
  revision: z.number().int(),
  at: z.number(),
  from: z.string(),
  to: z.string(),
  /** One sentence: why. */
  cause: z.string(),
});
export type ExecutionEvent = z.infer<typeof executionEventSchema>;

/** State of one execution as its agent stores it. */
export const executionReportSchema = z.object({
  executionId: z.string(),
  /** With it an owner whose store is an old copy knows whose execution this is; older agents do not tell. */
  jobId: z.string().optional(),
  token: tokenSchema,
  deadlineAt: z.number().optional(),
  revision: z.number().int(),
  state: z.enum(EXECUTION_STATES),
  run: z.number().int(),
  outcome: outcomeSchema.optional(),
  /** Why it was declined, or why it is cancelled; '' otherwise. */
  reason: z.string(),
  startedAt: z.number().optional(),
  finishedAt: z.number().optional(),
  /** Set once results are published. */
  published: z.object({ type: z.string(), params: z.record(z.string(), z.unknown()) }).optional(),
  /** First 2 KiB of each stream, once terminal. */
  stdout: z.string().optional(),
  stderr: z.string().optional(),
  events: z.array(executionEventSchema),
});
export type ExecutionReport = z.infer<typeof executionReportSchema>;

/** agent -> requester rows. */
export const agentRowSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('report'), report: executionReportSchema }),
]);
export type AgentRow = z.infer<typeof agentRowSchema>;

/** requester -> agent rows. `placement` is core's Placement; the agent parses the task again. */
export const requesterRowSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('place'), placement: z.record(z.string(), z.unknown()) }),
  z.object({ type: z.literal('stop'), executionId: z.string(), reason: z.string() }),
  /** An operator's word on what is foreign to the node. */
  z.object({
    type: z.literal('foreign'),
    executionId: z.string(),
    word: z.enum(['adopt', 'stop']),
  }),
]);
export type RequesterRow = z.infer<typeof requesterRowSchema>;

/** One batch over the link, in either direction. */
export const pushSchema = z.object({
  v: z.literal(PROTOCOL_VERSION),
  session: z.string(),
  /** Of the sender: changes when its outgoing numbering starts anew. */
  incarnation: z.string(),
  /** The sender knows that everything up to here was acknowledged; between `after` and the last row nothing is missing. */
  after: z.number().int(),
  /** In rising order of seq; numbers may be skipped (a failed write at the sender), rows never are. */
  rows: z.array(z.object({ seq: z.number().int(), body: z.unknown() })),
});
export type Push = z.infer<typeof pushSchema>;

export const pushAnswerSchema = z.discriminatedUnion('type', [
  /** Everything up to `cursor` is durable here. */
  z.object({ type: z.literal('ack'), cursor: z.number().int() }),
  /** A gap, or another incarnation: go on from `cursor` + 1. */
  z.object({ type: z.literal('resume'), cursor: z.number().int() }),
  /** Unknown session, node or incarnation: shake hands again. */
  z.object({ type: z.literal('handshake-required'), reason: z.string() }),
]);
export type PushAnswer = z.infer<typeof pushAnswerSchema>;

const executorInfo = z.object({
  name: z.string(),
  version: z.string(),
  health: z.enum(['undetected', 'unhealthy', 'healthy']),
  reason: z.string(),
  recovery: z.enum(['recovering', 'complete']),
  /** sha256 of the JSON Schema of its params as text; missing: it has none that is told, or the agent is older. */
  paramsSchema: z.string().optional(),
  /** Why its schema is not told or not used. */
  schemaProblem: z.string().optional(),
});
export type ExecutorInfo = z.infer<typeof executorInfo>;

export const nodeInfoSchema = z.object({
  nodeId: z.string(),
  name: z.string(),
  version: z.string(),
  labels: z.record(z.string(), z.string()),
  capacity: resources,
  allocated: resources,
  executors: z.array(executorInfo),
  sources: z.array(z.string()),
  publishers: z.array(z.string()),
  running: z.number().int(),
  /** Why the node takes no new work, by its operator's order; missing while it does. */
  draining: z.string().optional(),
});
export type NodeInfo = z.infer<typeof nodeInfoSchema>;

/** One end's place in both directions of the link. */
export const linkPositionSchema = z.object({
  incarnation: z.string(),
  /** Highest sequence number this end has ever given out. */
  lastSeq: z.number().int(),
  /** See `SenderMemory` in link.ts; older versions do not tell. */
  acked: z.number().int().optional(),
  offered: z.number().int().optional(),
  /** What this end has durably taken of the peer, and under which incarnation of the peer. */
  peerIncarnation: z.string(),
  peerCursor: z.number().int(),
});
export type LinkPosition = z.infer<typeof linkPositionSchema>;

/** Found by a node without a record: it asks whose they are. Missing means none. */
const foreignSchema = z.object({
  executionId: z.string(),
  /** Of nobody's job when it could not be read. */
  jobId: z.string().optional(),
  token: tokenSchema,
  deadlineAt: z.number().optional(),
  state: z.enum(EXECUTION_STATES),
  run: z.number().int(),
  executor: z.string(),
});
export type ForeignExecution = z.infer<typeof foreignSchema>;

/** JSON Schemas as text, of executors that name their hash; each is told once in a session, by one message or another. */
const schemas = z.array(z.string()).optional();

export const handshakeSchema = z.object({
  v: z.number().int(),
  /** Minted for this attempt: it becomes the link session, so that a copy of the message makes no second one. */
  attempt: z.string().optional(),
  node: nodeInfoSchema,
  instanceId: z.string(),
  bootId: z.string(),
  startedAt: z.number(),
  link: linkPositionSchema,
  /** The list would not fit into one message: what is missing in it is not lost. */
  partial: z.boolean().optional(),
  schemas,
  foreign: z.array(foreignSchema).optional(),
  /** All that are not terminal, and terminal ones still in the outbox. */
  executions: z.array(
    z.object({
      executionId: z.string(),
      jobId: z.string().optional(),
      token: tokenSchema,
      state: z.enum(EXECUTION_STATES),
      revision: z.number().int(),
      executor: z.string(),
      observed: z.enum(['pending', 'seen', 'unobservable']),
    }),
  ),
});
export type Handshake = z.infer<typeof handshakeSchema>;

export const handshakeAnswerSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('accepted'),
    v: z.number().int(),
    requesterId: z.string(),
    /** The requester's store: another one has lost what it knew. */
    epoch: z.string(),
    session: z.string(),
    link: linkPositionSchema,
    heartbeatIntervalMs: z.number().int(),
    /** Executions on the node's list that this owner does not know. */
    unknown: z.array(z.string()),
    /** Of the list: what this owner has heard more of than the node remembers; its store is an older copy. */
    ahead: z
      .array(
        z.object({
          executionId: z.string(),
          state: z.enum(EXECUTION_STATES),
          run: z.number().int(),
          revision: z.number().int(),
        }),
      )
      .optional(),
  }),
  z.object({ type: z.literal('pending'), reason: z.string(), retryAfterMs: z.number().int() }),
  z.object({ type: z.literal('rejected'), reason: z.string() }),
  z.object({ type: z.literal('superseded'), reason: z.string() }),
]);
export type HandshakeAnswer = z.infer<typeof handshakeAnswerSchema>;

export const heartbeatSchema = z.object({
  v: z.number().int(),
  session: z.string(),
  nodeId: z.string(),
  /** sha256 over the sorted (execution id, state) of what is not terminal. */
  digest: z.string(),
  /** When the digest was made; it can be compared by who has taken exactly this much. */
  link: linkPositionSchema.optional(),
  allocated: resources,
  running: z.number().int(),
  executors: z.array(executorInfo),
  schemas,
  /** As in the handshake. */
  draining: z.string().optional(),
  foreign: z.array(foreignSchema).optional(),
  /** Executions that left something on the node, of which it has no record: have they ended? */
  asks: z.array(z.string()).optional(),
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;

/** The requester's clock, ms since the epoch; older ones do not tell. */
const at = z.number().optional();

export const heartbeatAnswerSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('ok'),
    at,
    heartbeatIntervalMs: z.number().int(),
    /** Executions that the owner wants stopped or does not want here: found again when a stop was missed. */
    stop: z.array(z.string()),
    /** Of those that the node asked about: they were placed there, and have ended for their owner. */
    ended: z.array(z.string()).optional(),
    /** sha256 over the sorted (execution id, run or stop) of what the owner wants here, and where the link stood then. */
    desired: z.object({ digest: z.string(), link: linkPositionSchema }).optional(),
  }),
  z.object({ type: z.literal('handshake-required'), at, reason: z.string() }),
  z.object({ type: z.literal('superseded'), at, reason: z.string() }),
]);
export type HeartbeatAnswer = z.infer<typeof heartbeatAnswerSchema>;

/** It is part of a subject. */
const streamId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);

/** Opens a log stream (`ExecutionLogs`) or a result archive (`ExecutionResult`); answered once, then chunks follow. */
export const logsRequestSchema = z.object({
  SourcePeerId: z.string(),
  TargetPeerId: z.string(),
  /** What the requester calls the stream. */
  StreamId: streamId,
  ExecutionId: z.string(),
  Tail: z.number().int().optional(),
  Follow: z.boolean(),
  FromOffset: z.number().int(),
  /** Only what was written from then on, ms since the epoch. */
  SinceMs: z.number().int().exactOptional(),
  Streams: z.array(z.enum(['stdout', 'stderr'])),
});
export type LogsRequest = z.infer<typeof logsRequestSchema>;

export const resultRequestSchema = z.object({
  SourcePeerId: z.string(),
  TargetPeerId: z.string(),
  StreamId: streamId,
  ExecutionId: z.string(),
});
export type ResultRequest = z.infer<typeof resultRequestSchema>;

export const streamOpenedSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('opened'), streamId: z.string() }),
  z.object({ type: z.literal('refused'), code: z.string(), message: z.string() }),
]);
export type StreamOpened = z.infer<typeof streamOpenedSchema>;
