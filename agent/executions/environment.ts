/**
 * The environment of a run: the task's own, then what every execution is told. A value `env:NAME` takes the node's own
 * variable if one of the operator's patterns matches the whole name; anything else is refused.
 */
import { LimpetError } from '../../core/errors.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';

export interface EnvironmentOptions {
  /** Regular expressions; anchored at both ends. */
  readonly allow: readonly string[];
  readonly node: Readonly<Record<string, string | undefined>>;
}

export function runEnvironment(
  record: ExecutionRecord,
  options: EnvironmentOptions,
): Record<string, string> {
  const { placement } = record;
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(placement.task.Env ?? {}))
    env[name] = value.startsWith('env:') ? fromNode(value.slice(4), name, options) : value;
  const told: Record<string, string> = {
    EXECUTION_ID: placement.executionId,
    JOB_ID: placement.jobId,
    JOB_TYPE: placement.kind,
    PARTITION_INDEX: String(placement.token.partition),
    PARTITION_COUNT: String(placement.count),
  };
  for (const [name, value] of Object.entries(told)) {
    env[`LIMPET_${name}`] = value;
    env[`BACALHAU_${name}`] = value;
  }
  return env;
}

function fromNode(name: string, wanted: string, { allow, node }: EnvironmentOptions): string {
  if (!allow.some((pattern) => new RegExp(`^(?:${pattern})$`).test(name)))
    throw new LimpetError(
      'refused',
      `environment ${wanted}: the node's variable ${name} is not allowed; its operator can add it to allowEnv`,
    );
  const value = node[name];
  if (value === undefined || value === '')
    throw new LimpetError('refused', `environment ${wanted}: the node has no variable ${name}`);
  return value;
}
