/**
 * How reports share the outbox. Waiting reports of one execution become one: the younger state, the events of both. No
 * event and no end is ever left out of a fold. Above the bound a row is written short, and its event says so; the whole
 * history and the output stay on this node.
 */
import { isTerminal } from '../../core/execution/states.ts';
import type { RowRules } from '../../adapters/link/backlog.ts';
import { agentRowSchema, type AgentRow, type ExecutionReport } from '../../wire/messages.ts';

/** A fold stays far below the payload limit of a broker. */
const MOST_EVENTS = 200;

export function reportRules(mostBytes: number): RowRules {
  return {
    mostBytes,
    key: (body) => {
      const { executionId, state } = reportOf(body);
      return { id: executionId, last: isTerminal(state) };
    },
    fold: (older, younger) => foldReports(reportOf(older), reportOf(younger)),
    shorten: (body) => shortRow(reportOf(body), mostBytes),
  };
}

function foldReports(a: ExecutionReport, b: ExecutionReport): AgentRow | undefined {
  if (isTerminal(a.state) || a.events.length + b.events.length > MOST_EVENTS) return undefined;
  const [older, younger] = a.revision <= b.revision ? [a, b] : [b, a];
  const events = new Map([...older.events, ...younger.events].map((e) => [e.revision, e]));
  const sorted = [...events.values()].sort((x, y) => x.revision - y.revision);
  return { type: 'report', report: { ...younger, events: sorted } };
}

function shortRow(report: ExecutionReport, mostBytes: number): AgentRow {
  const { stdout, stderr, ...rest } = report;
  const withheld = [stdout, stderr].some((text) => text !== undefined && text !== '');
  const left = [
    ...(report.events.length > 1 ? [`${report.events.length - 1} earlier events`] : []),
    ...(withheld ? ['the head of the output'] : []),
  ];
  if (left.length === 0) return { type: 'report', report: rest };
  const note = `not sent, as more than ${mostBytes} bytes wait for the requester: ${left.join(' and ')}; the node has them`;
  const events = report.events
    .slice(-1)
    .map((event) => ({ ...event, cause: `${event.cause} (${note})` }));
  return { type: 'report', report: { ...rest, events } };
}

function reportOf(body: unknown): ExecutionReport {
  return isOwn(body) ? body.report : agentRowSchema.parse(body).report;
}

/** Written by this agent, in this run of it or an earlier one: what is read of it here is there. */
function isOwn(body: unknown): body is AgentRow {
  if (typeof body !== 'object' || body === null || !('report' in body)) return false;
  const { report } = body;
  if (typeof report !== 'object' || report === null) return false;
  const { executionId, state, events } = report as Partial<ExecutionReport>;
  return typeof executionId === 'string' && state !== undefined && Array.isArray(events);
}
