/** What the agent stores of one execution. `core` holds the shape; the agent parses it at the edge of its store. */
import type { Placement } from '../job.ts';
import type { Outcome } from './outcome.ts';
import type { ExecutionState } from './states.ts';

/** Why an end was asked for; the first one wins. `limit` is the deadline or a lease, `stop` its owner or an operator. */
export interface StopReason {
  readonly by: 'stop' | 'limit';
  readonly reason: string;
}

export interface PublishedResult {
  readonly type: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/**
 * A run that was found without a record, and imported. Until its owner or an operator has answered it goes on under its
 * own deadline, and nothing of it is started, published or removed. A record that its owner claims loses this field.
 */
export interface Foreign {
  readonly since: number;
  /** What of its placement could not be rebuilt, in words for people. */
  readonly unknown: readonly string[];
  /** An operator's word is final; the owner's can only be that it has to go (else it claims the execution). */
  readonly answer?: {
    readonly by: 'owner' | 'operator';
    readonly word: 'adopt' | 'stop';
    readonly at: number;
  };
}

export interface ExecutionRecord {
  readonly v: 1;
  readonly placement: Placement;
  readonly state: ExecutionState;
  /** 0, 1, 2 ...: counted by the agent, one start in place each. */
  readonly run: number;
  /** Grows by one with each change; equals the number of the last event. */
  readonly revision: number;
  readonly acceptedAt: number;
  readonly changedAt: number;
  /** Set with the first stop order; "desired stop" is that this is present. */
  readonly stop?: StopReason;
  /** Of the current run, from prepare. */
  readonly digest?: string;
  /** Of the current run: opaque, base64, only the plugin reads it. */
  readonly handle?: string;
  /** Of the current run, by the engine's or holder's clock. */
  readonly startedAt?: number;
  readonly finishedAt?: number;
  /** Of the current run; in a terminal state the outcome of the execution. */
  readonly outcome?: Outcome;
  /** Used up by the restart policy. */
  readonly failureRestarts: number;
  readonly lostRestarts: number;
  /** In `restarting`: when the next run begins, ms since the epoch. */
  readonly nextAt?: number;
  /** Why it was declined or why publishing failed; '' otherwise. */
  readonly reason: string;
  readonly published?: PublishedResult;
  /** First 2 KiB of each stream, from publishing on. */
  readonly output?: { readonly stdout: string; readonly stderr: string };
  /** In a terminal state: the executor has confirmed that nothing is left. */
  readonly removed: boolean;
  readonly foreign?: Foreign;
  /** The store has lost something since: nothing of it is started before its owner has told how far it was. */
  readonly unconfirmed?: true;
  /** The run that its owner, or what it left here, shows as launched, though this record does not. */
  readonly launchedRun?: number;
}

/** The same execution at another run: what belonged to the run before is gone from it. */
export function withRun(record: ExecutionRecord, run: number): ExecutionRecord {
  if (run === record.run) return record;
  const {
    handle: _handle,
    startedAt: _startedAt,
    finishedAt: _finishedAt,
    outcome: _outcome,
    nextAt: _nextAt,
    ...rest
  } = record;
  return { ...rest, run };
}

/** Why it was stopped, for a run that ended then: what ended before its deadline was not ended by it, whatever was stored. */
export function stopAt(record: ExecutionRecord, finishedAt: number): StopReason | undefined {
  const { stop, placement } = record;
  const byDeadline = stop?.by === 'limit' && stop.reason === 'deadline';
  return byDeadline && finishedAt <= (placement.deadlineAt ?? 0) ? undefined : stop;
}

/** "Launched" of the design, as far as the record knows; a mark says it as well. */
export function storedLaunched(record: ExecutionRecord): boolean {
  const { state, run, launchedRun } = record;
  return state === 'running' || state === 'stopping' || launchedRun === run;
}

/**
 * Foreign, and at rest: its end, or what was created and never started, is kept until a word comes. After the owner's
 * word the sweep takes it away, with its grace; after an operator's it goes on at once.
 */
export function isParked({ foreign, state }: ExecutionRecord): boolean {
  return (
    foreign !== undefined &&
    foreign.answer?.by !== 'operator' &&
    (state === 'publishing' || state === 'starting')
  );
}

export function newRecord(placement: Placement, now: number): ExecutionRecord {
  return {
    v: 1,
    placement,
    state: 'accepted',
    run: 0,
    revision: 0,
    acceptedAt: now,
    changedAt: now,
    failureRestarts: 0,
    lostRestarts: 0,
    reason: '',
    removed: false,
  };
}
