/** Execution records for tests: a placement with sane values, overridden where a test cares. */
import { parseExecutionId, parseJobId, parseNodeId } from '../../core/ids.ts';
import { newRecord, type ExecutionRecord } from '../../core/execution/record.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';
import type { Placement } from '../../core/job.ts';

export const EXECUTION = parseExecutionId('e-01900000-0000-7000-8000-000000000001');

export function placement(over: Partial<Placement> = {}): Placement {
  return {
    executionId: EXECUTION,
    jobId: parseJobId('j-01900000-0000-7000-8000-000000000002'),
    jobName: 'job',
    namespace: 'default',
    nodeId: parseNodeId('n-test'),
    owner: 'requester-1',
    kind: 'batch',
    token: { jobVersion: 1, partition: 0, attempt: 0 },
    count: 1,
    specHash: 'hash',
    task: {
      Name: 'main',
      Engine: { Type: 'wasm', Params: {} },
      Resources: {},
      Network: { Type: 'none' },
      Timeouts: {},
    },
    ...over,
  };
}

export function record(
  over: Partial<ExecutionRecord> = {},
  placed: Partial<Placement> = {},
): ExecutionRecord {
  return { ...newRecord(placement(placed), 1_000), ...over };
}

export function observed(over: Partial<ObservedRun> = {}): ObservedRun {
  return {
    executionId: EXECUTION,
    run: 0,
    phase: 'absent',
    marked: false,
    sameBoot: true,
    ours: true,
    ...over,
  };
}
