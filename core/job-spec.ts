/**
 * A job as people and programs send it, decoded from YAML or JSON, to a `JobSpec`:
 * spell the keys (job-spec-shape) -> types and values (job-spec-schema) -> rules across values (job-spec-rules) ->
 * defaults. Parsing what was parsed before changes nothing.
 */
import type { z } from 'zod';
import { DEFAULT_CPU, DEFAULT_EXECUTION_TIMEOUT_S, DEFAULT_MEMORY } from './job-defaults.ts';
import { invalid } from './job-spec-error.ts';
import type { Path } from './job-spec-error.ts';
import { checkJob, checkTask } from './job-spec-rules.ts';
import { jobSchema, type ParsedJob } from './job-spec-schema.ts';
import { asMapping, JOB_SHAPE, refuse, spellKeys, TASK_SHAPE } from './job-spec-shape.ts';
import { takeSystemFields } from './job-spec-system.ts';
import { taskSchema, type ParsedTask } from './job-task-schema.ts';
import { perNode, staysUp, type JobKind, type JobSpec, type SpecConfig, type Task } from './job.ts';
import type { Timeouts } from './job.ts';

/** strict: our own client, an unknown key is an error. lenient: HTTP, it is a warning. */
export type ParseMode = 'strict' | 'lenient';

export interface ParsedJobSpec {
  readonly spec: JobSpec;
  /** For people, one line each. */
  readonly warnings: string[];
}

/** Throws `invalid-job` with one line: the path, the value, what is allowed. */
export function parseJobSpec(data: unknown, mode: ParseMode): ParsedJobSpec {
  const warnings: string[] = [];
  const odd = mode === 'strict' ? refuse : (message: string) => void warnings.push(message);
  const own = takeSystemFields(asMapping(data), mode, warnings);
  const spelled = spellKeys(own, JOB_SHAPE, [], odd);
  const job = check(jobSchema, spelled, []);
  checkJob(job);
  checkTask(job.Tasks[0], ['Tasks', 0]);
  return { spec: toSpec(job, warnings), warnings };
}

/** A task as it crosses the wire inside a placement. Throws `invalid-job`. */
export function parseTask(data: unknown, kind: JobKind): Task {
  const task = check(taskSchema, spellKeys(asMapping(data), TASK_SHAPE, [], refuse), []);
  checkTask(task, []);
  return toTask(task, kind);
}

function check<S extends z.ZodType>(schema: S, value: unknown, path: Path): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const at = issue?.path ?? [];
  throw invalid([...path, ...at], valueAt(value, at), issue?.message ?? 'a job');
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, key) => {
    if (at === null || typeof at !== 'object') return undefined;
    return new Map<PropertyKey, unknown>(Object.entries(at)).get(String(key));
  }, value);
}

const RESERVED_META = 'bacalhau.org/';

function toSpec(job: ParsedJob, warnings: string[]): JobSpec {
  const meta = Object.entries(job.Meta).filter(([key]) => {
    const reserved = key.startsWith(RESERVED_META);
    if (reserved) warnings.push(`job meta key "${key}" is reserved and will be ignored`);
    return !reserved;
  });
  return {
    ...(job.Name === undefined ? {} : { Name: job.Name }),
    Namespace: job.Namespace,
    Type: job.Type,
    Priority: job.Priority,
    Count: perNode(job.Type) ? 0 : (job.Count ?? 1),
    Constraints: job.Constraints.map((c) => ({ ...c, Values: c.Values ?? [] })),
    Meta: Object.fromEntries(meta),
    Labels: job.Labels,
    ...(job.RestartPolicy === undefined ? {} : { RestartPolicy: job.RestartPolicy }),
    ...(job.Disconnect === undefined ? {} : { Disconnect: job.Disconnect }),
    Tasks: [toTask(job.Tasks[0], job.Type)],
  };
}

function toTask(task: ParsedTask, kind: JobKind): Task {
  const { Engine, Publisher, InputSources, ...rest } = task;
  return {
    ...rest,
    Engine: toConfig(Engine),
    ...(Publisher === undefined ? {} : { Publisher: toConfig(Publisher) }),
    ...(InputSources === undefined
      ? {}
      : { InputSources: InputSources.map((i) => ({ ...i, Source: toConfig(i.Source) })) }),
    Resources: { CPU: DEFAULT_CPU, Memory: DEFAULT_MEMORY, ...task.Resources },
    Timeouts: defaultTimeouts(task.Timeouts, kind),
  };
}

function toConfig(config: ParsedTask['Engine']): SpecConfig {
  return config.Params === undefined || config.Params === null
    ? { Type: config.Type }
    : { Type: config.Type, Params: config.Params };
}

/** The default is for work that nothing else bounds: a total timeout bounds it too, and an explicit 0 means none. */
function defaultTimeouts(timeouts: Timeouts, kind: JobKind): Timeouts {
  const given = timeouts.ExecutionTimeout !== undefined || (timeouts.TotalTimeout ?? 0) > 0;
  return staysUp(kind) || given
    ? timeouts
    : { ...timeouts, ExecutionTimeout: DEFAULT_EXECUTION_TIMEOUT_S };
}
