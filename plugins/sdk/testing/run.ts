/** A run that a test asks a plugin for, and how the wire says it; what the test does not name is filled in. */
import type { Mount } from '../types.ts';

export interface TestRun {
  /** Letters, digits, '-', '_' and '.'; any number of runs may lie in one plugin. */
  readonly executionId: string;
  /** Which attempt of the execution; 0 when missing. */
  readonly run?: number;
  /** Stands for the whole spec: Start of a run that is there with another hash fails. */
  readonly specHash?: string;
  /** `Engine.Params` of the job; an empty object when missing. */
  readonly params?: unknown;
  /** The variables of the job. */
  readonly env?: Readonly<Record<string, string>>;
  readonly mounts?: readonly Mount[];
  readonly memoryBytes?: number;
  readonly cpuMillis?: number;
  readonly pids?: number;
  /** Absolute end, ms since the epoch; 0, and missing, is none. */
  readonly deadlineAt?: number;
  /** From a stop, or the deadline, until KILL, ms; 10 s when missing. */
  readonly stopGraceMs?: number;
  /** What Prepare has answered. */
  readonly digest?: string;
  readonly network?: string;
  readonly kind?: string;
}

export type TestRunKey = Pick<TestRun, 'executionId' | 'run'>;

export function wireKey({ executionId, run = 0 }: TestRunKey) {
  return { executionId, run };
}

export function wireSpec(run: TestRun) {
  return {
    key: wireKey(run),
    specHash: run.specHash ?? 'hash-1',
    jobId: 'j-test',
    jobName: 'test',
    kind: run.kind ?? 'batch',
    owner: 'requester-test',
    token: '1.0.0',
    paramsJson: JSON.stringify(run.params ?? {}),
    env: { ...run.env },
    mounts: (run.mounts ?? []).map((mount) => ({ ...mount })),
    limits: {
      cpuMillis: run.cpuMillis ?? 0,
      memoryBytes: BigInt(run.memoryBytes ?? 0),
      pids: run.pids ?? 0,
    },
    network: run.network ?? 'none',
    deadlineMs: BigInt(run.deadlineAt ?? 0),
    digest: run.digest ?? '',
    stopGraceMs: run.stopGraceMs ?? 10_000,
  };
}
