/** GET /status of the agent's socket, as far as others rely on it; there is more in it. */
import { z } from 'zod';
import { reloadReportSchema } from './reload.ts';

const resources = z.object({ cpuMillis: z.number(), memoryBytes: z.number() });

const executor = z.object({
  name: z.string(),
  health: z.string(),
  /** One sentence: why it is not healthy; '' when it is. */
  reason: z.string(),
  version: z.string(),
  /** Of the live plugin; undefined while there is none. */
  pid: z.number().optional(),
  reattached: z.boolean().optional(),
  restarts: z.number(),
  recovery: z.string(),
  adopted: z.number(),
});

const execution = z.object({
  id: z.string(),
  jobId: z.string(),
  executor: z.string(),
  state: z.string(),
  run: z.number(),
  startedAt: z.number().optional(),
  progress: z.string(),
});

/** Times are ms since the epoch. */
export const agentStatusSchema = z.object({
  ok: z.boolean(),
  /** One sentence for each thing that is not as it should be. */
  degraded: z.array(z.string()).readonly(),
  version: z.string(),
  pid: z.int(),
  nodeId: z.string(),
  name: z.string(),
  dataDir: z.string(),
  startedAt: z.number(),
  /** From process start to all executors recovered, ms; undefined while one is not. */
  readyMs: z.number().optional(),
  drainedSince: z.number().optional(),
  reloaded: reloadReportSchema.readonly().optional(),
  housekeeping: z
    .object({ lookedAt: z.number().optional(), bytes: z.number(), finished: z.number() })
    .optional(),
  capacity: resources,
  allocated: resources,
  link: z.object({ state: z.string(), detail: z.string() }),
  /** Of logs and results that are read now. */
  streams: z.number().optional(),
  executors: z.array(executor).readonly(),
  executions: z.array(execution).readonly(),
  quarantined: z.array(z.string()).readonly(),
  /** Runs of this node without a record. */
  foreign: z.array(z.string()).readonly(),
});
export type AgentStatusAnswer = z.infer<typeof agentStatusSchema>;
