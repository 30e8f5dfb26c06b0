/** Explanations for people: desired, stored and observed side by side. */
import type { z } from 'zod';
import { describeOutcome } from '../../core/execution/outcome.ts';
import type { Explanation, RecoveryPlan } from '../../wire/explain.ts';
import type { ExecutionEvent, outcomeSchema } from '../../wire/messages.ts';
import { timestamp } from './format.ts';
import { formatTable } from './table.ts';

type Told = z.infer<typeof outcomeSchema>;

/** One column: the same facts as one party has them. */
interface View {
  readonly desired: string;
  readonly state: string;
  readonly run: number | string;
  readonly startedAt?: number | undefined;
  readonly finishedAt?: number | undefined;
  readonly outcome?: Told | undefined;
}

export interface OwnerView extends View {
  readonly desiredReason: string;
}

const NOTHING: View = { desired: '', state: '', run: '' };

/** Rows: what; columns: as the owner has it, as the node has it, as the executor shows it. */
export function sideBySide(owner: OwnerView, node: Explanation | undefined): string {
  const views = [
    { ...owner, desired: wish(owner.desired, owner.desiredReason) },
    node === undefined ? NOTHING : storedView(node),
    node === undefined ? NOTHING : observedView(node),
  ];
  const row = (name: string, value: (view: View) => string | number) => [name, ...views.map(value)];
  const rows = [
    row('desired', (view) => view.desired),
    row('state', (view) => view.state),
    row('run', (view) => view.run),
    row('started', (view) => timestamp(view.startedAt)),
    row('finished', (view) => timestamp(view.finishedAt)),
    row('outcome', (view) => outcomeText(view.outcome)),
  ];
  const shown = rows.filter(([, ...values]) => values.some((value) => value !== ''));
  return formatTable(['', 'owner', 'stored', 'observed'], shown);
}

function storedView({ desired, stored }: Explanation): View {
  const view = { ...NOTHING, desired: wish(desired.what, desired.reason) };
  return stored === undefined ? { ...view, state: 'no record' } : { ...view, ...stored };
}

function observedView(node: Explanation): View {
  return { ...NOTHING, ...node.observed.at(-1), state: observedText(node) };
}

function wish(what: string, reason: string): string {
  return reason === '' ? what : `${what}: ${reason}`;
}

function outcomeText(outcome: Told | undefined): string {
  if (outcome === undefined) return '';
  const { by, code, reason } = outcome;
  return describeOutcome(code === undefined ? { by, reason } : { by, code, reason });
}

function observedText({ observed }: Explanation): string {
  if (observed.length === 0) return 'absent';
  return observed.map(({ run, phase }) => (run === 0 ? phase : `${phase} (run ${run})`)).join(', ');
}

export function decisionText({ decision, unobserved }: Explanation): string {
  const asked = unobserved === '' ? '' : ` (not asked: ${unobserved})`;
  return `rule ${decision.rule}, ${decision.action}: ${decision.why}${asked}`;
}

export function eventTable(events: readonly ExecutionEvent[]): string {
  const rows = events.map(({ revision, at, from, to, cause }) => [
    revision,
    new Date(at).toISOString().slice(11, 23),
    from === '' || from === to ? to : `${from} -> ${to}`,
    cause,
  ]);
  return formatTable(['rev', 'time', 'change', 'cause'], rows);
}

export function planText(plan: RecoveryPlan): string {
  const how =
    plan.source === 'agent'
      ? `Asked the running agent of ${plan.nodeId}; nothing was changed.`
      : `No agent runs: read from a copy of the store of ${plan.nodeId}; nothing was changed or started.`;
  const silent = plan.executors
    .filter(({ asked }) => !asked)
    .map(({ name, reason }) => `Executor ${name} was not asked: ${reason}`);
  const rows = plan.executions.map((execution) => [
    execution.executionId,
    execution.executor,
    execution.desired.what,
    execution.stored?.state ?? 'no record',
    observedText(execution),
    execution.decision.rule,
    execution.decision.action,
    execution.decision.why,
  ]);
  const head = ['id', 'executor', 'desired', 'stored', 'observed', 'rule', 'action', 'why'];
  const table = rows.length === 0 ? 'There is nothing to recover.' : formatTable(head, rows);
  return [how, ...silent, '', table].join('\n');
}
