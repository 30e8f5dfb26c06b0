/** The requester's answers: Bacalhau's shapes (see wire/http.ts). Only what the cli reads is checked; the rest passes. */
import { z } from 'zod';
import { liveProgressSchema } from '../../core/live-progress.ts';

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const nanoseconds = z.union([z.bigint(), z.number()]).nullish();
const config = z.looseObject({ Type: text, Params: z.record(z.string(), z.unknown()).nullish() });

function listOf<S extends z.ZodType>(item: S) {
  return z
    .array(item)
    .nullish()
    .transform((items) => items ?? []);
}

const jobState = z.looseObject({ StateType: text, Message: text });
/** Numbers: see `EXECUTION_STATE_NAMES`. */
const executionState = z.looseObject({ StateType: z.number(), Message: text });

export const jobSchema = z.looseObject({
  ID: z.string(),
  Name: text,
  Namespace: text,
  Type: text,
  Priority: z.number().nullish(),
  Count: z.number().nullish(),
  Labels: z.record(z.string(), z.string()).nullish(),
  Tasks: listOf(z.looseObject({ Name: text, Engine: config, Publisher: config.nullish() })),
  State: jobState,
  Version: z.number().nullish(),
  CreateTime: nanoseconds,
  ModifyTime: nanoseconds,
});
export type Job = z.infer<typeof jobSchema>;

export const executionSchema = z.looseObject({
  ID: z.string(),
  NodeID: text,
  JobID: text,
  PartitionIndex: z.number().nullish(),
  DesiredState: executionState,
  ComputeState: executionState,
  RunOutput: z
    .looseObject({ Stdout: text, stderr: text, ExitCode: z.number().nullish(), ErrorMsg: text })
    .nullish(),
  /** Ours: how far its preparation is. */
  Limpet: z.looseObject({ Progress: liveProgressSchema.nullish() }).nullish(),
  Revision: z.number().nullish(),
  CreateTime: nanoseconds,
  ModifyTime: nanoseconds,
});
export type Execution = z.infer<typeof executionSchema>;

export const historySchema = z.looseObject({
  SeqNum: z.number().nullish(),
  Type: text,
  ExecutionID: text,
  Event: z.looseObject({
    Message: text,
    Topic: text,
    Timestamp: text,
    Details: z.record(z.string(), z.string()).nullish(),
  }),
  Time: text,
});
export type HistoryItem = z.infer<typeof historySchema>;

const amounts = z
  .looseObject({
    CPU: z.number().nullish(),
    Memory: z.number().nullish(),
    Disk: z.number().nullish(),
    GPU: z.number().nullish(),
  })
  .nullish();

const executor = z.looseObject({
  name: z.string(),
  version: text,
  health: text,
  reason: text,
  recovery: text,
  /** Where one node is asked for. */
  ParamsSchemaProblem: z.string().nullish(),
});

export const nodeSchema = z.looseObject({
  Info: z.looseObject({
    NodeID: z.string(),
    NodeType: text,
    Labels: z.record(z.string(), z.string()).nullish(),
    ComputeNodeInfo: z
      .looseObject({
        ExecutionEngines: listOf(z.string()),
        MaxCapacity: amounts,
        AvailableCapacity: amounts,
        RunningExecutions: z.number().nullish(),
      })
      .nullish(),
    BacalhauVersion: z.looseObject({ GitVersion: text }).nullish(),
  }),
  Membership: text,
  Connection: text,
  Limpet: z
    .looseObject({
      Name: text,
      Executors: listOf(executor),
      Scheduling: z.looseObject({ state: text, reason: text }).nullish(),
      Membership: z.looseObject({ reason: text, by: text, at: z.number() }).nullish(),
      Identity: z
        .looseObject({
          PublicKey: z.string(),
          Token: z.looseObject({ Id: z.string(), Name: text }).nullish(),
          CredentialsUntil: z.number(),
        })
        .nullish(),
      Copy: z.looseObject({ who: text, reason: text, at: z.number() }).nullish(),
      Foreign: listOf(
        z.looseObject({ executionId: z.string(), executor: text, state: text, answer: text }),
      ),
    })
    .nullish(),
  ConnectionState: z.looseObject({ LastHeartbeat: text, LastError: text }).nullish(),
});
export type NodeState = z.infer<typeof nodeSchema>;

function page<S extends z.ZodType>(item: S) {
  return z.looseObject({ NextToken: text, Items: listOf(item) });
}

export const jobPage = page(jobSchema);
export const executionPage = page(executionSchema);
export const historyPage = page(historySchema);
export const resultPage = page(config);
export const nodePage = z.looseObject({ NextToken: text, Nodes: listOf(nodeSchema) });
export const nodeReply = z.looseObject({ Node: nodeSchema });
export const jobReply = z.looseObject({
  Job: jobSchema,
  Executions: executionPage.nullish(),
  History: historyPage.nullish(),
});
export const putJobReply = z.looseObject({
  JobID: z.string(),
  EvaluationID: text,
  Warnings: listOf(z.string()),
});
export const stopReply = z.looseObject({ EvaluationID: text });

const EXECUTION_STATE_NAMES = [
  'undefined',
  'new',
  'asked',
  'accepted',
  'declined',
  'accepted',
  'running',
  'publishing',
  'not needed',
  'completed',
  'failed',
  'cancelled',
] as const;

export function executionStateName(number: number): string {
  return EXECUTION_STATE_NAMES[number] ?? `state ${number}`;
}

/** Bacalhau's times are nanoseconds since the epoch; undefined when unset. */
export function toMs(time: bigint | number | null | undefined): number | undefined {
  const ms = Math.floor(Number(time ?? 0) / 1e6);
  return ms > 0 ? ms : undefined;
}

/** GET limpet/engines; see EngineSchemas in wire/http.ts. */
export const enginesReply = z.looseObject({
  Engines: listOf(z.looseObject({ Type: z.string(), Schemas: listOf(z.unknown()) })),
});

/** POST limpet/jobs/validate; see JobChecked in wire/http.ts. */
export const jobCheckedReply = z.looseObject({
  Warnings: listOf(z.string()),
  ParamsChecked: z.boolean(),
  Reason: text,
});
