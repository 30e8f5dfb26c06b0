/** What this node tells its requester about itself. */
import { createHash } from 'node:crypto';
import { parseExecutionId, type NodeId } from '../../core/ids.ts';
import { isTerminal } from '../../core/execution/states.ts';
import type { Resources } from '../../core/resources.ts';
import type { Outbox } from '../../adapters/link/outbox.ts';
import {
  agentRowSchema,
  type ExecutorInfo,
  type Handshake,
  type NodeInfo,
} from '../../wire/messages.ts';
import type { ExecutionEngine } from '../executions/engine.ts';
import type { ExecutorHealth } from '../plugins/port.ts';

export interface NodeFacts {
  readonly nodeId: NodeId;
  readonly name: string;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly capacity: Resources;
}

export interface NodeInfoSources {
  readonly facts: NodeFacts;
  readonly engine: ExecutionEngine;
  health(): readonly ExecutorHealth[];
  recovered(executor: string): boolean;
}

export function executorInfos(sources: NodeInfoSources): ExecutorInfo[] {
  return sources.health().map((h) => ({
    name: h.name,
    version: h.version,
    health: h.health,
    reason: h.reason,
    recovery: sources.recovered(h.name) ? 'complete' : 'recovering',
  }));
}

export function nodeInfo(sources: NodeInfoSources): NodeInfo {
  const { facts, engine } = sources;
  return {
    ...facts,
    labels: { ...facts.labels },
    allocated: engine.allocated,
    executors: executorInfos(sources),
    sources: ['inline', 'local'],
    publishers: ['local'],
    running: runningCount(engine),
  };
}

export function runningCount(engine: ExecutionEngine): number {
  return [...engine.all()].filter((live) => !isTerminal(live.record.state)).length;
}

export function executionList(sources: NodeInfoSources): Handshake['executions'] {
  return [...sources.engine.all()].map(({ record }) => ({
    executionId: record.placement.executionId,
    token: record.placement.token,
    state: record.state,
    revision: record.revision,
    executor: record.placement.task.Engine.Type,
    observed: sources.recovered(record.placement.task.Engine.Type) ? 'seen' : 'pending',
  }));
}

/** Ended and gone from here while the report of it waits: missing in the list, it would be taken for lost. */
export async function unreported(
  outbox: Outbox,
  engine: ExecutionEngine,
): Promise<Handshake['executions']> {
  const rows = (await outbox.waiting()).map((body) => agentRowSchema.parse(body));
  const ended = new Map<string, Handshake['executions'][number]>();
  for (const { report } of rows) {
    const { executionId, token, state, revision } = report;
    if (engine.get(parseExecutionId(executionId)) !== undefined) continue;
    ended.set(executionId, { executionId, token, state, revision, executor: '', observed: 'seen' });
  }
  return [...ended.values()];
}

/** sha256 over the sorted "id state" lines of what is not terminal; both ends compute it. */
export function runningDigest(engine: ExecutionEngine): string {
  const lines = [...engine.all()]
    .filter((live) => !isTerminal(live.record.state))
    .map(({ record }) => `${record.placement.executionId} ${record.state}\n`)
    .sort();
  return createHash('sha256').update(lines.join('')).digest('hex');
}
