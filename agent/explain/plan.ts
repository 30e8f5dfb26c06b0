/** What recovery would do with everything, without doing it. */
import { LimpetError } from '../../core/errors.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import type { RecoveryPlan } from '../../wire/explain.ts';
import type { ExecutorClient } from '../plugins/port.ts';
import { explain, type Moment, type Seen } from './explanation.ts';

export interface AskedExecutor {
  readonly name: string;
  /** undefined: it cannot be asked, for this reason. */
  readonly client: Pick<ExecutorClient, 'list'> | undefined;
  readonly reason: string;
}

export interface PlanSources extends Moment {
  readonly nodeId: string;
  readonly source: RecoveryPlan['source'];
  readonly records: readonly ExecutionRecord[];
  readonly executors: readonly AskedExecutor[];
}

type Listed =
  | { readonly type: 'asked'; readonly runs: readonly ObservedRun[] }
  | { readonly type: 'not-asked'; readonly reason: string };

export async function recoveryPlan(sources: PlanSources): Promise<RecoveryPlan> {
  const { nodeId, source, now, records, executors } = sources;
  const lists = new Map<string, Listed>();
  await Promise.all(executors.map(async (e) => lists.set(e.name, await listOf(e))));
  const known = records.map((record) => {
    const { executionId, task } = record.placement;
    const executor = task.Engine.Type;
    const seen = seenOf(lists.get(executor), executor, executionId);
    return explain({ executionId, executor, record }, seen, sources);
  });
  const ids = new Set(records.map(({ placement }) => String(placement.executionId)));
  const strays = [...lists].flatMap(([executor, listed]) =>
    listed.type === 'asked' ? withoutRecord(executor, listed.runs, { ids, moment: sources }) : [],
  );
  return {
    ...{ at: now, source, nodeId },
    executors: [...lists].map(([name, listed]) => ({
      name,
      asked: listed.type === 'asked',
      reason: listed.type === 'asked' ? '' : listed.reason,
    })),
    executions: [...known, ...strays],
  };
}

async function listOf({ client, reason }: AskedExecutor): Promise<Listed> {
  if (client === undefined) return { type: 'not-asked', reason };
  try {
    return { type: 'asked', runs: (await client.list()).runs };
  } catch (thrown) {
    return { type: 'not-asked', reason: LimpetError.from(thrown).message };
  }
}

function seenOf(listed: Listed | undefined, executor: string, executionId: string): Seen {
  if (listed === undefined)
    return { type: 'not-asked', reason: `this node has no executor '${executor}'` };
  if (listed.type === 'not-asked') return listed;
  return { type: 'asked', runs: listed.runs.filter((run) => run.executionId === executionId) };
}

function withoutRecord(
  executor: string,
  runs: readonly ObservedRun[],
  { ids, moment }: { readonly ids: ReadonlySet<string>; readonly moment: Moment },
) {
  const strays = new Set(runs.map((run) => run.executionId).filter((id) => !ids.has(id)));
  return [...strays].map((executionId) => {
    const mine = runs.filter((run) => run.executionId === executionId);
    return explain(
      { executionId, executor, record: undefined },
      { type: 'asked', runs: mine },
      moment,
    );
  });
}
