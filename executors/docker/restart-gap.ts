/**
 * Whether the engine was restarted within a run, of which the run's log has not told yet. Pure.
 *
 * What a container writes while its engine is away waits in a pipe, and is gone when the container ends before the engine
 * is back; and the engine may die with lines in its hands. So every restart that fell into a run may have cost lines. It
 * is told from the identity of the engine's process: the one noted in the mark just before the launch, then the one in
 * the log's cursor. Without a readable pid file it is told from the plugin's own broken connections.
 *
 * A run that ended before this engine process was there: its log is whole when the process before saw the end. That is
 * known from the plugin's connection; when the plugin was away too, nobody can tell, and lines MAY be missing.
 */
import type { EngineProcess } from './engine-start.ts';
import type { Container } from './engine.ts';
import type { Told } from './log-cursor.ts';
import type { EngineLoss, Mark } from './run-files.ts';

/** Clocks of the engine's record and of our own look at it differ by this much at most. */
const SLACK_MS = 1_000;

export interface RestartFacts {
  readonly container: Pick<Container, 'startedAt' | 'finishedAt'>;
  /** The container will write no more. */
  readonly isOver: boolean;
  readonly mark: Mark | undefined;
  readonly loss: EngineLoss | undefined;
  /** The one that answers now. */
  readonly engine: EngineProcess | undefined;
  /** What the run's log has told. */
  readonly told: Told;
}

export interface Restart {
  /** ms since the epoch: what was written before comes before it. */
  readonly at: number;
  readonly text: string;
  /** To be kept with the telling, so that it is told once. */
  readonly told: Told;
}

/** The latest restart that has to be told; undefined when there is none. */
export function untoldRestart(facts: RestartFacts): Restart | undefined {
  const { engine, loss, told } = facts;
  const known = told.engine ?? facts.mark?.engineProcess;
  // Known once and not readable now: the engine is just going, and will be asked again.
  if (engine === undefined) return known === undefined ? brokenConnection(facts) : undefined;
  const { startedAt } = facts.container;
  const isOther =
    known === undefined
      ? startedAt !== undefined && engine.startedAt > startedAt
      : known !== engine.id;
  if (!isOther || endedBefore(engine, facts)) return undefined;
  return {
    at: engine.startedAt,
    text: `the engine restarted at ${new Date(engine.startedAt).toISOString()}; lines may be missing here`,
    told: { ...told, engine: engine.id, ...(loss === undefined ? {} : { lostAt: loss.lostAt }) },
  };
}

/** The run ended, and a process of the engine before this one saw it end. */
function endedBefore(
  { startedAt }: EngineProcess,
  { isOver, container: { finishedAt }, loss }: RestartFacts,
): boolean {
  if (!isOver || finishedAt === undefined || finishedAt >= startedAt - SLACK_MS) return false;
  if (loss === undefined) return false;
  const isItsLoss = loss.backAt === undefined || loss.backAt >= startedAt - SLACK_MS;
  return isItsLoss && finishedAt < loss.lostAt - SLACK_MS;
}

function brokenConnection({ isOver, container, loss, told }: RestartFacts): Restart | undefined {
  if (loss === undefined || !loss.broken || loss.lostAt === told.lostAt) return undefined;
  const { finishedAt = Number.POSITIVE_INFINITY } = container;
  if (isOver && finishedAt < loss.lostAt - SLACK_MS) return undefined;
  return {
    at: loss.lostAt,
    text: `the connection to the engine broke at ${new Date(loss.lostAt).toISOString()}; lines may be missing here`,
    told: { ...told, lostAt: loss.lostAt },
  };
}
