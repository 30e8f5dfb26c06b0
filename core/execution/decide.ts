/**
 * The recovery decision: desired, stored and observed state of one execution to one action and one sentence why.
 * Pure and total; the first rule that fits decides. It serves recovery at start and every look at a run afterwards.
 * The rules and their numbers are those of docs/how-recovery-works.md.
 */
import type { ObservedRun } from './observed.ts';
import type { Outcome } from './outcome.ts';
import { storedLaunched, type ExecutionRecord, type StopReason } from './record.ts';
import { isTerminal } from './states.ts';

export type Action =
  | { readonly type: 'leave' }
  | { readonly type: 'wait' }
  | { readonly type: 'import'; readonly run: ObservedRun }
  | { readonly type: 'stop-leftover'; readonly run: number }
  | { readonly type: 'remove-leftovers' }
  | { readonly type: 'done' }
  | { readonly type: 'publish' }
  | { readonly type: 'end-restarting'; readonly stop: StopReason }
  | { readonly type: 'next-run'; readonly at: number }
  | { readonly type: 'look-again' }
  | {
      readonly type: 'conclude';
      readonly run: number;
      readonly outcome: Outcome;
      readonly startedAt?: number;
      readonly finishedAt: number;
    }
  | { readonly type: 'stop'; readonly stop: StopReason }
  /** Nothing runs: end it with this reason; a created engine resource is removed and never started. */
  | { readonly type: 'end-unstarted'; readonly stop: StopReason }
  | { readonly type: 'adopt'; readonly run: ObservedRun }
  | { readonly type: 'start-created'; readonly run: number }
  | { readonly type: 'refuse'; readonly reason: string }
  | { readonly type: 'resume' }
  | { readonly type: 'lost'; readonly reason: string };

export interface Decision {
  /** Number of the rule in the table. */
  readonly rule: number;
  readonly action: Action;
  readonly why: string;
}

export interface Situation {
  readonly record: ExecutionRecord | undefined;
  /** Every observed run under this execution id; none is "absent". */
  readonly observed: readonly ObservedRun[];
  readonly now: number;
  /** A `removing` run has been looked at for 60 s. */
  readonly removingTooLong: boolean;
}

interface View {
  readonly record: ExecutionRecord;
  readonly run: number;
  readonly current: ObservedRun | undefined;
  /** There is a mark, or the record says that it was launched. */
  readonly launched: boolean;
  /** Of the owner, the deadline: the reason why it has to end, if any. */
  readonly end: StopReason | undefined;
  readonly situation: Situation;
}

type Rule = (view: View, ours: readonly ObservedRun[]) => Omit<Decision, 'rule'> | undefined;

const isLive = (run: ObservedRun): boolean => run.phase === 'running' || run.phase === 'paused';

/** 2: nothing is concluded from an engine that cannot be asked. */
const unobservable: Rule = (_view, ours) =>
  ours.some((run) => run.phase === 'unobservable')
    ? { action: { type: 'wait' }, why: 'its executor cannot be asked now' }
    : undefined;

/** 4: a run with a stored outcome must not run beside, or after, that outcome. */
const leftoverRuns: Rule = ({ record, run }, ours) => {
  const over =
    record.run === run &&
    (record.state === 'restarting' || record.state === 'publishing' || isTerminal(record.state));
  const leftover = ours.find((r) => isLive(r) && (r.run < run || (over && r.run === run)));
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
const ended: Rule = ({ record, run, current, end, situation }) => {
  if (current?.phase !== 'exited') return undefined;
  const outcome = current.outcome ?? { by: 'lost', reason: 'no exit record' };
  const finishedAt = current.finishedAt ?? situation.now;
  const conclude = (final: Outcome, why: string): Omit<Decision, 'rule'> => ({
    action: {
      type: 'conclude',
      run,
      outcome: final,
      finishedAt,
      ...(current.startedAt === undefined ? {} : { startedAt: current.startedAt }),
    },
    why,
  });
  if (record.stop !== undefined)
    return conclude(coded(record.stop, outcome), `ended after: ${record.stop.reason}`);
  const deadline = record.placement.deadlineAt;
  if (
    deadline !== undefined &&
    finishedAt > deadline &&
    outcome.by !== 'limit' &&
    end !== undefined
  )
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
  if (record.stop !== undefined || there || !launched)
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

export function decide(situation: Situation): Decision {
  const ours = situation.observed.filter((run) => run.ours);
  const { record } = situation;
  if (record === undefined) return withoutRecord(ours);
  const view = viewOf(record, ours, situation);
  for (const [rule, fits] of RULES) {
    const decision = fits(view, ours);
    if (decision !== undefined) return { rule, ...decision };
  }
  // `gone` always answers; this line keeps the function total in the compiler's eyes.
  return { rule: 14, action: { type: 'lost', reason: 'gone' }, why: 'no rule fits' };
}

/** Rules 1, 2 and 3: what has no record is kept, whatever it is. */
function withoutRecord(ours: readonly ObservedRun[]): Decision {
  const there = ours.filter((run) => run.phase !== 'absent');
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
  if (newest.phase === 'unobservable')
    return { rule: 2, action: { type: 'wait' }, why: 'its executor cannot be asked now' };
  return {
    rule: 3,
    action: { type: 'import', run: newest },
    why: 'ours by its labels, and no record: kept as foreign',
  };
}

/** An observed run newer than the record's becomes the record's run first (the store is an old copy). */
function viewOf(stored: ExecutionRecord, ours: readonly ObservedRun[], situation: Situation): View {
  const run = ours.reduce(
    (newest, r) => (r.phase === 'absent' ? newest : Math.max(newest, r.run)),
    stored.run,
  );
  const record: ExecutionRecord =
    run === stored.run ? stored : { ...stored, run, state: 'starting' };
  const current = ours.find((r) => r.run === run);
  const deadline = record.placement.deadlineAt;
  const expired: StopReason | undefined =
    deadline !== undefined && situation.now > deadline
      ? { by: 'limit', reason: 'deadline' }
      : undefined;
  return {
    record,
    run,
    current,
    launched: storedLaunched(record) || (current?.marked ?? false),
    end: record.stop ?? expired,
    situation,
  };
}
