/**
 * The job model, in Bacalhau's names (v1.9) so that its files run unchanged; what is ours is marked.
 * These are the values after parsing and defaults; `core/job-spec.ts` parses them out of files and requests.
 */
import type { ExecutionId, JobId, NodeId } from './ids.ts';

export const JOB_KINDS = ['batch', 'ops', 'service', 'daemon'] as const;
export type JobKind = (typeof JOB_KINDS)[number];

/** Kept running until it is stopped. */
export function staysUp(kind: JobKind): boolean {
  return kind === 'service' || kind === 'daemon';
}

/** One execution on each matching node, whatever their number. */
export function perNode(kind: JobKind): boolean {
  return kind === 'ops' || kind === 'daemon';
}

/** A typed, free-form part of a spec: an engine, a source or a publisher. `Type` is lower case after parsing. */
export interface SpecConfig {
  readonly Type: string;
  readonly Params?: Readonly<Record<string, unknown>>;
}

export interface InputSource {
  readonly Source: SpecConfig;
  readonly Alias?: string;
  readonly Target: string;
}

export interface ResultPath {
  readonly Name: string;
  /** Absolute path inside the execution. */
  readonly Path: string;
}

export interface ResourcesSpec {
  readonly CPU?: string;
  readonly Memory?: string;
  readonly Disk?: string;
  readonly GPU?: string;
}

export interface NetworkSpec {
  /** `none` when the job names none (ours). */
  readonly Type: 'none' | 'default' | 'host' | 'bridge' | 'http';
  readonly Domains?: readonly string[];
  readonly Ports?: readonly unknown[];
}

/** Whole seconds; 0 or missing is "none" (ExecutionTimeout of batch and ops gets the default when missing). */
export interface Timeouts {
  readonly ExecutionTimeout?: number;
  readonly QueueTimeout?: number;
  readonly TotalTimeout?: number;
}

export interface Task {
  readonly Name: string;
  readonly Engine: SpecConfig;
  readonly Publisher?: SpecConfig;
  readonly Env?: Readonly<Record<string, string>>;
  readonly Meta?: Readonly<Record<string, string>>;
  readonly InputSources?: readonly InputSource[];
  readonly ResultPaths?: readonly ResultPath[];
  readonly Resources: ResourcesSpec;
  readonly Network: NetworkSpec;
  readonly Timeouts: Timeouts;
}

export type ConstraintOperator = 'in' | 'notin' | '=' | '==' | '!=' | 'exists' | '!' | 'gt' | 'lt';

export interface Constraint {
  readonly Key: string;
  readonly Operator: ConstraintOperator;
  readonly Values: readonly string[];
}

/**
 * How often a run is started again in place, by the node itself (ours). Durations as `core/duration.ts` reads them.
 * What is missing takes the default of the kind, see `restartRule`.
 */
export interface RestartPolicy {
  /** Restarts after failures; lost runs are counted apart, against the same number. */
  readonly Attempts?: number | 'unlimited';
  /** Before the first restart; doubles with each further one, up to `MaxDelay`. */
  readonly Delay?: string;
  readonly MaxDelay?: string;
  /** A run that lasted so long begins both counts anew. */
  readonly ResetAfter?: string;
}

/** What becomes of a run whose node has no word from the requester (ours). */
export type Disconnect = 'keep' | { readonly StopAfter: string };

/** What a person submits. */
export interface JobSpec {
  readonly Name?: string;
  readonly Namespace: string;
  readonly Type: JobKind;
  readonly Priority: number;
  readonly Count: number;
  readonly Constraints: readonly Constraint[];
  readonly Meta: Readonly<Record<string, string>>;
  readonly Labels: Readonly<Record<string, string>>;
  readonly RestartPolicy?: RestartPolicy;
  /** `keep` when missing. */
  readonly Disconnect?: Disconnect;
  /** Exactly one task until task graphs exist. */
  readonly Tasks: readonly [Task];
}

export const JOB_STATES = [
  'Pending',
  'Queued',
  'Running',
  'Completed',
  'Failed',
  'Stopped',
] as const;
export type JobState = (typeof JOB_STATES)[number];

export function isTerminalJobState(state: JobState): boolean {
  return state === 'Completed' || state === 'Failed' || state === 'Stopped';
}

/** (job version, partition, attempt): minted by the job's owner, never changes within an execution id. */
export interface FencingToken {
  readonly jobVersion: number;
  readonly partition: number;
  readonly attempt: number;
}

/** A restart policy in numbers, complete. */
export interface RestartRule {
  /** Absent: unlimited. */
  readonly attempts?: number;
  readonly delayMs: number;
  readonly maxDelayMs: number;
  readonly resetAfterMs: number;
}

/**
 * One placement as its owner sends it to a node. `specHash` is opaque to everyone but the owner.
 * `deadlineAt` is absolute (ms since the epoch); absent when nothing bounds the run in time.
 */
export interface Placement {
  readonly executionId: ExecutionId;
  readonly jobId: JobId;
  readonly jobName: string;
  readonly namespace: string;
  readonly nodeId: NodeId;
  readonly owner: string;
  readonly kind: JobKind;
  readonly token: FencingToken;
  readonly count: number;
  readonly specHash: string;
  readonly task: Task;
  readonly deadlineAt?: number;
  /** Absent: the default of the kind. */
  readonly restart?: RestartRule;
  /** How long it may go on after the last word from its owner; absent: for ever. */
  readonly leaseMs?: number;
}
