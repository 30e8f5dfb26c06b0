/** A run that a test asks a plugin for, and how the wire says it; what the test does not name is filled in. */
export interface TestRun {
  readonly executionId: string;
  readonly run?: number;
  readonly specHash?: string;
  readonly params?: unknown;
  readonly env?: Record<string, string>;
  readonly mounts?: { source: string; target: string; readOnly: boolean }[];
  readonly memoryBytes?: number;
  readonly cpuMillis?: number;
  readonly pids?: number;
  readonly deadlineAt?: number;
  readonly stopGraceMs?: number;
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
    env: run.env ?? {},
    mounts: run.mounts ?? [],
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
