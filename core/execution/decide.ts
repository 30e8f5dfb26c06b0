/**
 * The recovery decision: desired, stored and observed state of one execution to one action and one sentence why.
 * Pure and total; the first rule that fits decides. It serves recovery at start and every look at a run afterwards.
 * The rules and their numbers are those of docs/how-recovery-works.md.
 */
import type { Action, Decision, Situation } from './decision.ts';
import type { ObservedRun } from './observed.ts';
import type { Outcome } from './outcome.ts';
import {
  isParked,
  stopAt,
  storedLaunched,
  withRun,
  type ExecutionRecord,
  type StopReason,
} from './record.ts';
import { isTerminal } from './states.ts';

export type { Action, Decision, Situation } from './decision.ts';

interface View {
  readonly record: ExecutionRecord;
  readonly run: number;
  readonly current: ObservedRun | undefined;
  /** There is a mark, or the record says that it was launched. */
  readonly launched: boolean;
  /** Of the owner, the deadline or the lease: the reason why it has to end, if any. */
  readonly end: StopReason | undefined;
  /** The record knows nothing of this run. */
  readonly found: boolean;
  readonly situation: Situation;
}

type Verdict = Pick<Decision, 'action' | 'why'>;
type Rule = (view: View, ours: readonly ObservedRun[]) => Verdict | undefined;

const isLive = (run: ObservedRun): boolean => run.phase === 'running' || run.phase === 'paused';

/** 2: nothing is concluded from an engine that cannot be asked. */
const unobservable: Rule = (_view, ours) =>
  ours.some((run) => run.phase === 'unobservable')
    ? { action: { type: 'wait' }, why: 'its executor cannot be asked now' }
    : undefined;

/** 3, once it is imported: before a word on it nothing is started, published or removed. */
const parked: Rule = ({ record, current }) => {
  if (!isParked(record)) return undefined;
  if (record.state === 'starting' && (current === undefined || current.phase === 'absent'))
    return {
      action: { type: 'lost', reason: 'created, never started, and gone' },
      why: 'foreign, and nothing of it is there any more',
    };
  if (record.state === 'starting' && current?.phase !== 'created') return undefined;
  return {
    action: { type: 'leave' },
    why: 'foreign: kept as it is until its owner or an operator answers',
  };
};

/** 4: a run with a stored outcome must not run beside, or after, that outcome. */
const leftoverRuns: Rule = ({ record, run }, ours) => {
  const over = record.state === 'restarting' || isOver(record);
  const leftover = ours.find((r) => isLive(r) && (r.run < run || over));
  return leftover === undefined
    ? undefined
    : {
        action: { type: 'stop-leftover', run: leftover.run },
        why: `run ${leftover.run} has a stored outcome and still runs; the outcome stays`,
      };
};

/** 5 */
const terminal: Rule = ({ record }, ours) => {
  if (!isTerminal(record.state)) return undefined;
  return ours.some((run) => run.phase !== 'absent')
    ? { action: { type: 'remove-leftovers' }, why: `${record.state}; something of it is left` }
    : { action: { type: 'done' }, why: `${record.state}; nothing is left` };
};

/** 6 */
const publishing: Rule = ({ record }) =>
  record.state === 'publishing'
    ? { action: { type: 'publish' }, why: 'its run has ended; publishing again is harmless' }
    : undefined;

/** 7 */
const restarting: Rule = ({ record, end, situation }) => {
  if (record.state !== 'restarting') return undefined;
  if (end !== undefined)
    return {
      action: { type: 'end-restarting', stop: end },
      why: `between two runs: ${end.reason}`,
    };
  return {
    action: { type: 'next-run', at: record.nextAt ?? situation.now },
    why: `the restart policy starts run ${record.run + 1}`,
  };
};

/** 8 */
const removing: Rule = ({ current, situation }) =>
  current?.phase === 'removing' && !situation.removingTooLong
    ? { action: { type: 'look-again' }, why: 'the engine is removing it' }
    : undefined;

/** 9: it has ended, so it is never run again. */
const ended: Rule = ({ record, run, current, situation }) => {
  if (current?.phase !== 'exited') return undefined;
  const outcome = current.outcome ?? { by: 'lost', reason: 'no exit record' };
  const finishedAt = current.finishedAt ?? situation.now;
  const conclude = (final: Outcome, why: string): Verdict => ({
    action: {
      type: 'conclude',
      run,
      outcome: final,
      finishedAt,
      ...(current.startedAt === undefined ? {} : { startedAt: current.startedAt }),
    },
    why,
  });
  const stop = record.stop === undefined ? ordered(record) : stopAt(record, finishedAt);
  if (stop !== undefined) return conclude(coded(stop, outcome), `ended after: ${stop.reason}`);
  const deadline = record.placement.deadlineAt;
  if (deadline !== undefined && finishedAt > deadline)
    return conclude(
      coded({ by: 'limit', reason: 'deadline' }, outcome),
      'ended after its deadline',
    );
  return conclude(outcome, 'ended while nobody looked, or just now');
};

function coded(reason: StopReason, outcome: Outcome): Outcome {
  return outcome.code === undefined ? reason : { ...reason, code: outcome.code };
}

/** 10 */
const mustEnd: Rule = ({ record, current, launched, end }) => {
  if (end === undefined) return undefined;
  if (current !== undefined && isLive(current))
    return { action: { type: 'stop', stop: end }, why: `it runs and has to end: ${end.reason}` };
  const there = current?.phase === 'created';
  if (ordered(record) !== undefined || there || !launched)
    return { action: { type: 'end-unstarted', stop: end }, why: `nothing runs: ${end.reason}` };
  return undefined;
};

/** 11 */
const adopt: Rule = ({ record, current }) => {
  if (current === undefined || !isLive(current)) return undefined;
  const outside =
    record.startedAt !== undefined &&
    current.startedAt !== undefined &&
    record.startedAt !== current.startedAt;
  return {
    action: { type: 'adopt', run: current },
    why: outside
      ? 'it was restarted outside of us; adopted as it is'
      : 'it runs: adopted, not restarted',
  };
};

/** 12 */
const created: Rule = ({ record, run, current }) => {
  if (current?.phase !== 'created') return undefined;
  if (storedLaunched(record))
    return {
      action: { type: 'lost', reason: 'created anew, never started' },
      why: 'it had run, and what is there never did',
    };
  if (current.startError !== undefined)
    return {
      action: { type: 'refuse', reason: current.startError },
      why: 'the engine shows why its start failed',
    };
  return {
    action: { type: 'start-created', run },
    why: 'created and never started: this one is started',
  };
};

/** 13 */
const neverLaunched: Rule = ({ launched, record }) =>
  launched
    ? undefined
    : {
        action: { type: 'resume' },
        why: `${record.state} and never launched: it goes on from there`,
      };

/** 14 */
const gone: Rule = ({ current }) => {
  const interrupted = current !== undefined && current.marked && !current.sameBoot;
  return {
    action: { type: 'lost', reason: interrupted ? 'interrupted' : 'gone without an exit record' },
    why: interrupted ? 'it ran in another boot of this host' : 'it had been launched and is gone',
  };
};

const RULES: readonly (readonly [number, Rule])[] = [
  [2, unobservable],
  [3, parked],
  [4, leftoverRuns],
  [5, terminal],
  [6, publishing],
  [7, restarting],
  [8, removing],
  [9, ended],
  [10, mustEnd],
  [11, adopt],
  [12, created],
  [13, neverLaunched],
  [14, gone],
];

const STARTS: readonly Action['type'][] = ['resume', 'start-created', 'next-run'];
const UNCONFIRMED =
  'the store may be older than what was done here; nothing is started before its owner has answered';

export function decide(situation: Situation): Decision {
  const ours = situation.observed.filter((run) => run.ours);
  const { record } = situation;
  if (record === undefined) return withoutRecord(ours);
  const view = viewOf(record, ours, situation);
  for (const [rule, fits] of RULES) {
    const decision = fits(view, ours);
    if (decision === undefined) continue;
    if (situation.unconfirmed === true && STARTS.includes(decision.action.type))
      return { rule, action: { type: 'wait' }, why: UNCONFIRMED };
    // Rules 2 and 3 change nothing, the record neither.
    return { rule, ...decision, ...(view.found && rule > 3 ? { found: view.run } : {}) };
  }
  // `gone` always answers; this line keeps the function total in the compiler's eyes.
  return { rule: 14, action: { type: 'lost', reason: 'gone' }, why: 'no rule fits' };
}

/** Rules 1, 2 and 3: what has no record is kept, whatever it is. */
function withoutRecord(ours: readonly ObservedRun[]): Decision {
  const there = ours.filter(isTrace);
  const newest = there.reduce<ObservedRun | undefined>(
    (a, b) => (a === undefined || b.run > a.run ? b : a),
    undefined,
  );
  if (newest === undefined)
    return {
      rule: 1,
      action: { type: 'leave' },
      why: 'not of this node and instance; never touched',
    };
  if (ours.some((run) => run.phase === 'unobservable'))
    return { rule: 2, action: { type: 'wait' }, why: 'its executor cannot be asked now' };
  return {
    rule: 3,
    action: { type: 'import', run: newest },
    why: 'ours by its labels, and no record: kept as foreign',
  };
}

/** Its last run has ended: no later one can be there that is its own. */
function isOver({ state }: ExecutionRecord): boolean {
  return state === 'publishing' || isTerminal(state);
}

/** The first reason, of its owner or of this node, once an end has been asked for. */
function ordered({ stop, state }: ExecutionRecord): StopReason | undefined {
  return stop ?? (state === 'stopping' ? { by: 'stop', reason: 'stopped' } : undefined);
}

function overdue(
  { placement }: ExecutionRecord,
  { now, leaseOver }: Situation,
): StopReason | undefined {
  const { deadlineAt } = placement;
  if (deadlineAt !== undefined && now > deadlineAt) return { by: 'limit', reason: 'deadline' };
  return leaseOver === true ? { by: 'limit', reason: 'lease' } : undefined;
}

/** Something is there, or has been. */
function isTrace(run: ObservedRun): boolean {
  return run.phase !== 'absent' || run.marked;
}

/** An observed run newer than the record's becomes the record's run first (the store is an old copy). */
function viewOf(stored: ExecutionRecord, ours: readonly ObservedRun[], situation: Situation): View {
  const newest = ours.reduce((max, r) => (isTrace(r) ? Math.max(max, r.run) : max), stored.run);
  const run = isOver(stored) ? stored.run : newest;
  const current = ours.find((r) => r.run === run);
  const early = stored.state === 'accepted' || stored.state === 'preparing';
  const begun = current !== undefined && isTrace(current) && current.phase !== 'created';
  const found = run > stored.run || (early && begun);
  const record: ExecutionRecord = found ? { ...withRun(stored, run), state: 'starting' } : stored;
  return {
    record,
    run,
    current,
    launched: storedLaunched(record) || (current?.marked ?? false),
    end: ordered(record) ?? overdue(record, situation),
    found,
    situation,
  };
}
