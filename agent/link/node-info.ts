/** What this node tells its requester about itself. */
import { parseExecutionId, type NodeId } from '../../core/ids.ts';
import { isTerminal } from '../../core/execution/states.ts';
import { isParked, type ExecutionRecord } from '../../core/execution/record.ts';
import type { Resources } from '../../core/resources.ts';
import { MOST_SCHEMA_BYTES } from '../../adapters/schemas/json-schema.ts';
import type { Outbox } from '../../adapters/link/outbox.ts';
import {
  agentRowSchema,
  type ExecutorInfo,
  type Handshake,
  type NodeInfo,
} from '../../wire/messages.ts';
import { digestOf } from '../../wire/digests.ts';
import type { ExecutionEngine } from '../executions/engine.ts';
import type { ParamsSchema } from '../executions/params-schemas.ts';
import type { ExecutorHealth } from '../plugins/port.ts';

export interface NodeFacts {
  readonly nodeId: NodeId;
  readonly name: string;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly capacity: Resources;
  /** Types of input sources that jobs may ask for here. */
  readonly sources: readonly string[];
}

export interface NodeInfoSources {
  readonly facts: NodeFacts;
  readonly engine: ExecutionEngine;
  health(): readonly ExecutorHealth[];
  recovered(executor: string): boolean;
  /** Of its task params; undefined until its plugin has told it. */
  schema(executor: string): ParamsSchema | undefined;
  /** Executions without a record that left something here. */
  questions(): string[];
  /** Why this node takes no new work for now. */
  drained(): string | undefined;
}

export function executorInfos(sources: NodeInfoSources): ExecutorInfo[] {
  return sources.health().map((h) => ({
    name: h.name,
    version: h.version,
    health: h.health,
    reason: h.reason,
    recovery: sources.recovered(h.name) ? 'complete' : 'recovering',
    ...schemaInfo(sources.schema(h.name)),
  }));
}

const TOO_LARGE = `it has more than ${MOST_SCHEMA_BYTES} bytes, and is not told`;

function schemaInfo(
  schema: ParamsSchema | undefined,
): Pick<ExecutorInfo, 'paramsSchema' | 'schemaProblem'> {
  if (schema === undefined) return {};
  return schema.told === undefined
    ? { schemaProblem: TOO_LARGE }
    : { paramsSchema: schema.told.hash };
}

export function executorSchemas(sources: NodeInfoSources): ParamsSchema[] {
  return sources.health().flatMap(({ name }) => sources.schema(name) ?? []);
}

export function nodeInfo(sources: NodeInfoSources): NodeInfo {
  const { facts, engine } = sources;
  return {
    ...facts,
    labels: { ...facts.labels },
    allocated: engine.allocated,
    executors: executorInfos(sources),
    sources: [...facts.sources],
    publishers: ['local'],
    running: runningCount(engine),
    ...drainOf(sources),
  };
}

/** Left out while it takes work. */
export function drainOf(sources: NodeInfoSources): { readonly draining?: string } {
  const draining = sources.drained();
  return draining === undefined ? {} : { draining };
}

export function runningCount(engine: ExecutionEngine): number {
  return [...engine.all()].filter(({ record }) => !isTerminal(record.state) && !isParked(record))
    .length;
}

export function executionList(sources: NodeInfoSources): Handshake['executions'] {
  return ordinary(sources.engine).map((record) => ({
    executionId: record.placement.executionId,
    jobId: record.placement.jobId,
    token: record.placement.token,
    state: record.state,
    revision: record.revision,
    executor: record.placement.task.Engine.Type,
    observed: sources.recovered(record.placement.task.Engine.Type) ? 'seen' : 'pending',
  }));
}

/** What was found without a record, and is not over: its owner may claim it. */
export function foreignList({ engine }: NodeInfoSources): NonNullable<Handshake['foreign']> {
  return [...engine.all()].flatMap(({ record }) => {
    const { placement, state, run } = record;
    const { executionId, jobId, token, deadlineAt, task } = placement;
    if (record.foreign === undefined || isTerminal(state)) return [];
    const deadline = deadlineAt === undefined ? {} : { deadlineAt };
    return [{ executionId, jobId, token, state, run, executor: task.Engine.Type, ...deadline }];
  });
}

/** Rows that are read for the list at most; beyond that it is `partial`. */
const MOST_WAITING = 1_000;

/** Ended and gone from here while the report of it waits: missing in the list, it would be taken for lost. */
export async function unreported(
  outbox: Outbox,
  engine: ExecutionEngine,
): Promise<Pick<Handshake, 'executions' | 'partial'>> {
  const bodies = await outbox.waiting(MOST_WAITING);
  const ended = new Map<string, Handshake['executions'][number]>();
  for (const body of bodies) {
    const { executionId, jobId, token, state, revision } = agentRowSchema.parse(body).report;
    if (engine.get(parseExecutionId(executionId)) !== undefined) continue;
    const seen = { executionId, token, state, revision, executor: '', observed: 'seen' } as const;
    ended.set(executionId, { ...seen, ...(jobId === undefined ? {} : { jobId }) });
  }
  return { executions: [...ended.values()], partial: bodies.length === MOST_WAITING };
}

/** Of (id, state) of what is not terminal; both ends compute it. */
export function runningDigest(engine: ExecutionEngine): string {
  return digestOf(unfinished(engine).map(({ placement, state }) => [placement.executionId, state]));
}

/** Of (id, run or stop), as the owner wants it; a limit that ends a run is not the owner's word. */
export function desiredDigest(engine: ExecutionEngine): string {
  return digestOf(
    unfinished(engine).map(({ placement, stop }) => [
      placement.executionId,
      stop?.by === 'stop' ? 'stop' : 'run',
    ]),
  );
}

function unfinished(engine: ExecutionEngine): ExecutionRecord[] {
  return ordinary(engine).filter(({ state }) => !isTerminal(state));
}

/** Without what is foreign, of which the owner may know nothing. */
function ordinary(engine: ExecutionEngine): ExecutionRecord[] {
  return [...engine.all()]
    .map(({ record }) => record)
    .filter(({ foreign }) => foreign === undefined);
}
