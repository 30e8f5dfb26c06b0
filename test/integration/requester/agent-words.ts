/** What a scripted agent says: who it is, what it holds, what has become of one execution. */
import type { ExecutionState } from '../../../core/execution/states.ts';
import { NO_RESOURCES } from '../../../core/resources.ts';
import type { ExecutionReport, Handshake, NodeInfo } from '../../../wire/messages.ts';

/** An execution as the agent has it. */
export interface Held {
  readonly token: ExecutionReport['token'];
  readonly state: ExecutionState;
  readonly revision: number;
  readonly jobId?: string;
}

export function infoOf({
  nodeId,
  cpuMillis = 4_000,
}: {
  readonly nodeId: string;
  readonly cpuMillis?: number;
}): NodeInfo {
  return {
    ...{ nodeId, name: 'scripted', version: '0', labels: { zone: 'a' } },
    capacity: { cpuMillis, memoryBytes: 8e9, diskBytes: 8e9, gpus: 0 },
    allocated: NO_RESOURCES,
    executors: [
      { name: 'wasm', version: '0', health: 'healthy', reason: '', recovery: 'complete' },
    ],
    ...{ sources: ['inline'], publishers: ['local'], running: 0 },
  };
}

/** All that it holds, as a handshake lists it. */
export function listOf(executions: ReadonlyMap<string, Held>): Handshake['executions'] {
  return [...executions].map(([executionId, held]) => ({
    ...{ executionId, ...held, executor: 'wasm' },
    observed: 'seen' as const,
  }));
}

export function reportOf(
  executionId: string,
  held: Held,
  more: Partial<ExecutionReport> = {},
): ExecutionReport {
  const { token, revision, state } = held;
  const event = { revision, at: Date.now(), from: '', to: state, cause: 'script' };
  return { executionId, token, revision, state, run: 0, reason: '', events: [event], ...more };
}

/** The token of a placement, as it was read. */
export function reportToken(token: unknown): Held['token'] {
  const number = (name: string): number => Number(new Map(Object.entries(token ?? {})).get(name));
  return {
    jobVersion: number('jobVersion'),
    partition: number('partition'),
    attempt: number('attempt'),
  };
}
