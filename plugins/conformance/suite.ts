/**
 * Runs rules over one plugin, some at a time. Rules that share a plugin run one after the other on one bench; each other
 * has its own. Whatever the plugin does, each rule ends in a verdict within its time.
 */
import { join } from 'node:path';
import { messageOf } from '../../core/errors.ts';
import type { Processes } from '../../adapters/processes/port.ts';
import { statusOf } from './expect.ts';
import type { Subject } from './subject.ts';
import { SuiteBench } from './suite-bench.ts';
import {
  NotApplicable,
  Violation,
  type Bench,
  type Capability,
  type Need,
  type Rule,
  type Verdict,
} from './types.ts';
import { within } from './wait.ts';

const RULE_SECONDS = 60;

export interface SuiteOptions {
  readonly rules: readonly Rule[];
  readonly subject: Subject;
  /** As the plugin claims them. */
  readonly capabilities: ReadonlySet<Need>;
  readonly processes: Processes;
  /** Benches are folders below. */
  readonly folder: string;
  readonly jobs: number;
  /** Fires to give up: rules that have not begun are left out. */
  readonly signal: AbortSignal;
  /** Told in the order of `rules`. */
  onVerdict(verdict: Verdict): void;
}

export async function runSuite(options: SuiteOptions): Promise<readonly Verdict[]> {
  const told = new Teller(options);
  const benches: SuiteBench[] = [];
  const open = (): SuiteBench => {
    const root = join(options.folder, String(benches.length + 1));
    const bench = new SuiteBench(root, options.subject, options.processes);
    benches.push(bench);
    return bench;
  };
  const closeAll = () => void Promise.all(benches.map((bench) => bench.close()));
  options.signal.addEventListener('abort', closeAll, { once: true });
  const lanes = lanesOf(options, told).map((rules) => () => runLane(rules, open, options, told));
  const workers = Array.from({ length: options.jobs }, async () => {
    for (let lane = lanes.shift(); lane !== undefined; lane = lanes.shift())
      if (!options.signal.aborted) await lane();
  });
  await Promise.all(workers);
  options.signal.removeEventListener('abort', closeAll);
  return told.verdicts;
}

/** Those that are skipped have their verdict at once. */
function lanesOf(options: SuiteOptions, told: Teller): (readonly Rule[])[] {
  const wanted = options.rules.filter((rule) => {
    const reason = whySkipped(rule, options);
    if (reason !== undefined) told.tell(verdictOf(rule, 0, new NotApplicable(reason)));
    return reason === undefined;
  });
  const sharing = wanted.filter((rule) => rule.shares === true);
  const alone = wanted.filter((rule) => rule.shares !== true).map((rule) => [rule]);
  return sharing.length === 0 ? alone : [sharing, ...alone];
}

const CAPABILITIES: readonly Capability[] = ['held', 'renew', 'exec', 'stats'];

function whySkipped(
  { needs = [], slow }: Rule,
  { subject, capabilities }: SuiteOptions,
): string | undefined {
  if (slow !== undefined && !subject.slow) return `takes ${slow}; --slow runs it`;
  const missing = needs.find((need) => !capabilities.has(need));
  if (missing === undefined) return undefined;
  return CAPABILITIES.some((one) => one === missing)
    ? `it does not claim '${missing}'`
    : `no sample '${missing}'`;
}

async function runLane(
  rules: readonly Rule[],
  open: () => SuiteBench,
  { signal }: SuiteOptions,
  told: Teller,
): Promise<void> {
  let bench: SuiteBench | undefined;
  for (const [index, rule] of rules.entries()) {
    if (signal.aborted) break;
    const began = performance.now();
    let end: unknown;
    try {
      bench = bench?.plugin.isAlive === true ? bench : await reopened(bench, open);
      await checked(rule, bench);
    } catch (thrown) {
      end = thrown;
    }
    const ms = performance.now() - began;
    const isLast = index === rules.length - 1;
    // The next one finds a plugin of its own when this one was left hanging.
    if (bench !== undefined && (isLast || end !== undefined)) {
      const left = await bench.close();
      bench = undefined;
      if (left.length > 0) end ??= new Violation('nothing left behind', left.join(', '));
    }
    if (!signal.aborted) told.tell(verdictOf(rule, ms, end));
  }
}

async function reopened(
  before: SuiteBench | undefined,
  open: () => SuiteBench,
): Promise<SuiteBench> {
  await before?.close();
  const bench = open();
  try {
    await bench.open();
    return bench;
  } catch (thrown) {
    await bench.close();
    throw thrown;
  }
}

async function checked(rule: Rule, bench: Bench): Promise<void> {
  const seconds = rule.seconds ?? RULE_SECONDS;
  const closed = new AbortController();
  const givenUp = new Promise<never>((_, reject) => {
    const listener = () => reject(new Error('given up'));
    bench.signal.addEventListener('abort', listener, { once: true, signal: closed.signal });
  });
  try {
    await within('an end', seconds * 1000, Promise.race([rule.check(bench), givenUp]));
  } finally {
    closed.abort();
  }
}

function verdictOf(rule: Rule, ms: number, end: unknown): Verdict {
  const { id, title } = rule;
  const common = { rule: id, title, ms: Math.round(ms) };
  if (end === undefined) return { ...common, result: 'pass', reason: '' };
  if (end instanceof NotApplicable) return { ...common, result: 'skip', reason: end.message };
  if (end instanceof Violation) {
    const { expected, found } = end;
    return { ...common, result: 'fail', reason: end.message, expected, found };
  }
  const status = statusOf(end);
  const found = `${status === 'UNKNOWN' ? '' : `${status}: `}${messageOf(end)}`;
  const expected = 'every call of the rule to answer';
  return { ...common, result: 'fail', reason: found, expected, found };
}

/** Verdicts come as rules end and are told in the order of the rules. */
class Teller {
  readonly #options: SuiteOptions;
  readonly #known = new Map<string, Verdict>();
  #next = 0;

  constructor(options: SuiteOptions) {
    this.#options = options;
  }

  get verdicts(): readonly Verdict[] {
    return this.#options.rules
      .map(({ id }) => this.#known.get(id))
      .filter((verdict) => verdict !== undefined);
  }

  tell(verdict: Verdict): void {
    this.#known.set(verdict.rule, verdict);
    const { rules, onVerdict } = this.#options;
    for (;;) {
      const next = this.#known.get(rules[this.#next]?.id ?? '');
      if (next === undefined) return;
      this.#next += 1;
      onVerdict(next);
    }
  }
}
