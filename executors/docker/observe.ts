/** From what the engine and the run folder say to one observation. Pure. */
import type { Observation, RecordedOrder, RunKey } from '../../plugins/sdk/index.ts';
import type { Container } from './engine.ts';
import { isOurs, specHashOf, type Identity } from './labels.ts';
import type { EngineLoss, Mark } from './run-files.ts';

/** What the run folder and the host know of a run. */
export interface RunRecord {
  readonly key: RunKey;
  readonly mark: Mark | undefined;
  readonly order: RecordedOrder | undefined;
  readonly loss: EngineLoss | undefined;
  /** The engine that holds it was given up for another one. */
  readonly givenUp: boolean;
}

export interface HostFacts {
  readonly identity: Identity;
  readonly bootId: string;
  /** When the engine's process was started; undefined when its pid file is not readable. */
  readonly engineStartedAt: number | undefined;
  /** Which process the engine is; undefined when it is not known. */
  readonly engineProcess?: string | undefined;
  /** Whether processes of a container are alive that its engine knows nothing of. */
  readonly hasSurvivors?: (containerId: string) => boolean;
}

type Phase = Observation['phase'];
type Outcome = NonNullable<Observation['outcome']>;

const PHASES: Readonly<Record<string, Phase>> = {
  created: 'created',
  running: 'running',
  restarting: 'running',
  paused: 'paused',
  removing: 'removing',
  exited: 'exited',
  // A removal that did not finish.
  dead: 'removing',
};

export function phaseOf(status: string): Phase {
  return PHASES[status] ?? 'unobservable';
}

/** Codes of a process that was ended from outside. */
export const KILLED: ReadonlySet<number> = new Set([137, 143, 255]);
/** Clocks of the engine's record and of our own look at it differ by this much at most. */
const SLACK_MS = 1_000;
/** A starting engine without live-restore ends what survived it; it takes 10 s for the stop and some for itself. */
const RESTART_KILL_MS = 20_000;
/** One that is stopped in good order ends its runs first, in 15 s unless told otherwise, and is then started again. */
const SHUTDOWN_KILL_MS = 30_000;

function interrupted(container: Container, record: RunRecord, host: HostFacts): boolean {
  if (!KILLED.has(container.exitCode)) return false;
  if (record.mark !== undefined && record.mark.bootId !== host.bootId) return true;
  const { startedAt = 0, finishedAt } = container;
  if (finishedAt === undefined) return true;
  const { loss } = record;
  if (loss !== undefined && finishedAt >= loss.lostAt - SLACK_MS)
    if (loss.backAt === undefined || finishedAt <= loss.backAt + SLACK_MS) return true;
  const restart = host.engineStartedAt;
  if (restart === undefined || restart <= startedAt) return false;
  return finishedAt >= restart - SHUTDOWN_KILL_MS && finishedAt <= restart + RESTART_KILL_MS;
}

function outcomeOf(container: Container, record: RunRecord, host: HostFacts): Outcome {
  const code = container.exitCode;
  const { order } = record;
  // An order counts when the run ended after it; the first reason wins, with the true code.
  if (order !== undefined && (container.finishedAt ?? order.at) >= order.at)
    return { by: order.by, code, reason: order.reason };
  // The engine also sets the flag when a child was killed and the work went on to succeed.
  if (container.oomKilled && code !== 0) return { by: 'oom', code, reason: 'memory' };
  if (interrupted(container, record, host)) return { by: 'lost', code, reason: 'interrupted' };
  return { by: 'exit', code, reason: '' };
}

/**
 * An end that nothing learnt later shows in another light. A killed run may turn out to be `interrupted`: an engine that
 * is stopped ends its runs and tells so before it goes, and only its next start shows why.
 */
export function isFinal({ phase, outcome }: Observation): boolean {
  if (phase !== 'exited' || outcome === undefined || outcome.by === 'lost') return false;
  return outcome.by !== 'exit' || outcome.code === undefined || !KILLED.has(outcome.code);
}

function marks(record: RunRecord, host: HostFacts): Pick<Observation, 'marked' | 'sameBoot'> {
  return { marked: record.mark !== undefined, sameBoot: record.mark?.bootId === host.bootId };
}

/** For a run of which the engine shows nothing (`absent`), or of which it cannot be asked (`unobservable`). */
export function unseen(
  phase: 'absent' | 'unobservable',
  record: RunRecord,
  host: HostFacts,
): Observation {
  return { key: record.key, phase, ...marks(record, host), ours: true };
}

/**
 * An engine that dies within a start may not have noted that the work had begun: it shows `created` for ever, and would
 * start it once more. So a marked container that another process of the engine shows so is never started. Work that has
 * begun counts as running until the last of its processes is gone; `supervise` ends them.
 */
function isCutOff(container: Container, { mark }: RunRecord, host: HostFacts): boolean {
  if (container.status !== 'created' || container.startedAt !== undefined || container.error !== '')
    return false;
  if (mark?.engineProcess === undefined || host.engineProcess === undefined) return false;
  return mark.containerId === container.id && mark.engineProcess !== host.engineProcess;
}

export function observation(container: Container, record: RunRecord, host: HostFacts): Observation {
  const cutOff = isCutOff(container, record, host);
  const survives = cutOff && host.hasSurvivors?.(container.id) === true;
  const phase = survives ? 'running' : cutOff ? 'exited' : phaseOf(container.status);
  return {
    key: record.key,
    phase,
    ...marks(record, host),
    ours: isOurs(host.identity, container),
    specHash: specHashOf(container.labels),
    handle: JSON.stringify({ container: container.id, engine: record.mark?.engineId ?? '' }),
    ...(container.startedAt === undefined ? {} : { startedAt: container.startedAt }),
    ...(phase === 'exited' && !cutOff ? ended(container, record, host) : {}),
    ...(cutOff && !survives ? { outcome: { by: 'lost', reason: 'interrupted' } } : {}),
    ...(phase === 'created' && container.error !== '' ? { startError: container.error } : {}),
    facts: { container: container.name, containerId: container.id },
  };
}

function ended(container: Container, record: RunRecord, host: HostFacts) {
  const { startedAt = 0, finishedAt } = container;
  return {
    // The engine notes a start only after it has been told of it: work of a few milliseconds may have ended before.
    ...(finishedAt === undefined ? {} : { finishedAt: Math.max(startedAt, finishedAt) }),
    outcome: outcomeOf(container, record, host),
  };
}
