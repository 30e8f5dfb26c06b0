/** What a node says when it is asked to explain itself: desired, stored and observed side by side, and what follows. */
import { z } from 'zod';
import { EXECUTION_STATES } from '../core/execution/states.ts';
import { RUN_PHASES } from '../core/execution/observed.ts';
import { executionEventSchema, outcomeSchema } from './messages.ts';

const observedSchema = z.object({
  run: z.number().int(),
  phase: z.enum(RUN_PHASES),
  /** It may have begun. */
  marked: z.boolean(),
  sameBoot: z.boolean(),
  ours: z.boolean(),
  startedAt: z.number().optional(),
  finishedAt: z.number().optional(),
  outcome: outcomeSchema.optional(),
});

const storedSchema = z.object({
  state: z.enum(EXECUTION_STATES),
  run: z.number().int(),
  revision: z.number().int(),
  changedAt: z.number(),
  startedAt: z.number().optional(),
  finishedAt: z.number().optional(),
  outcome: outcomeSchema.optional(),
  /** Restarting: when the next run begins. */
  nextAt: z.number().optional(),
  removed: z.boolean(),
});

export const explanationSchema = z.object({
  executionId: z.string(),
  jobId: z.string(),
  executor: z.string(),
  desired: z.object({
    what: z.enum(['run', 'stop']),
    /** Why it has to end; '' for `run`. */
    reason: z.string(),
    deadlineAt: z.number().optional(),
  }),
  /** Missing: the node has no record of it. */
  stored: storedSchema.optional(),
  observed: z.array(observedSchema),
  /** Why the executor could not be asked; '' when it was. */
  unobserved: z.string(),
  /** What recovery does, or would do, with this. */
  decision: z.object({ rule: z.number().int(), action: z.string(), why: z.string() }),
});
export type Explanation = z.infer<typeof explanationSchema>;

export const recoveryPlanSchema = z.object({
  at: z.number(),
  /** `agent`: a live agent was asked. `store`: none runs; a copy of its store and the plugins that live were asked. */
  source: z.enum(['agent', 'store']),
  nodeId: z.string(),
  executors: z.array(z.object({ name: z.string(), asked: z.boolean(), reason: z.string() })),
  executions: z.array(explanationSchema),
});
export type RecoveryPlan = z.infer<typeof recoveryPlanSchema>;

/** `node.compute.<nodeId>.ExplainExecution/v1` and the agent's socket answer with this. */
export const nodeExplanationSchema = z.object({
  explanation: explanationSchema,
  events: z.array(executionEventSchema),
});
export type NodeExplanation = z.infer<typeof nodeExplanationSchema>;

export const explainAnswerSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('explained'), node: nodeExplanationSchema }),
  z.object({ type: z.literal('refused'), code: z.string(), message: z.string() }),
]);
export type ExplainAnswer = z.infer<typeof explainAnswerSchema>;

/** The node's side of an explanation, as its owner passes it on. */
export const nodeSideSchema = z.discriminatedUnion('type', [
  ...explainAnswerSchema.options,
  z.object({ type: z.literal('unreachable'), reason: z.string() }),
]);
export type NodeSide = z.infer<typeof nodeSideSchema>;
