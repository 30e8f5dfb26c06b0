/**
 * A node's word about an execution. Only a higher revision of an execution that has not ended changes anything: what comes
 * twice, late or out of order is recorded or ignored, and never counts again.
 */
import type { Logger } from '../../adapters/log/port.ts';
import { KEPT_EVENTS } from '../../core/execution/history.ts';
import { describeFailure, type Outcome } from '../../core/execution/outcome.ts';
import { isTerminal, type ExecutionState } from '../../core/execution/states.ts';
import { parseExecutionId, type ExecutionId, type NodeId } from '../../core/ids.ts';
import { agentRowSchema, type ExecutionReport, type Push } from '../../wire/messages.ts';
import type { Draft } from '../state/draft.ts';
import { eventKey } from '../state/keys.ts';
import type { Reader } from '../state/reader.ts';
import type { ExecutionRecord } from '../state/records.ts';
import { claim } from './claim.ts';
import { asAccepted } from './one-result.ts';

export interface ReportContext {
  readonly reader: Reader;
  readonly log: Logger;
}

export async function applyRows(
  draft: Draft,
  { node, rows }: { readonly node: NodeId; readonly rows: Push['rows'] },
  context: ReportContext,
): Promise<void> {
  for (const { seq, body } of rows) {
    const row = agentRowSchema.safeParse(body);
    if (row.success) await applyReport(draft, { node, report: row.data.report }, context);
    else context.log.error('report.unreadable', { nodeId: node, seq, reason: row.error.message });
  }
}

async function applyReport(
  draft: Draft,
  { node, report }: { readonly node: NodeId; readonly report: ExecutionReport },
  { reader, log }: ReportContext,
): Promise<void> {
  const id = idOf(report);
  const known =
    id === undefined
      ? undefined
      : (draft.execution(id) ??
        (await reader.execution(id)) ??
        (await claim({ reader, draft }, node, { ...report, state: 'accepted' })));
  const fields = { nodeId: node, executionId: id, state: report.state, revision: report.revision };
  if (known === undefined || known.nodeId !== node || !sameToken(known, report)) {
    log.warn('report.not-ours', fields);
    return;
  }
  forgetUnlisted(draft, known);
  if (report.revision <= known.revision) return;
  if (isTerminal(known.state)) {
    log.info('report.late', { ...fields, endedAs: known.state });
    recordLate(draft, known, report);
    return;
  }
  const accepted = await asAccepted({ draft, reader }, known, report);
  draft.putExecution(merge(known, accepted, draft.now));
  for (const event of accepted.events) {
    if (event.revision <= known.revision) continue;
    draft.op({ type: 'put', key: eventKey(known.id, event.revision), value: event });
    const oldest = event.revision - KEPT_EVENTS;
    if (oldest >= 0) draft.op({ type: 'del', key: eventKey(known.id, oldest) });
  }
  recordHistory(draft, known, accepted);
}

/** It is there after all. */
function forgetUnlisted(draft: Draft, { id, nodeId }: ExecutionRecord): void {
  const node = draft.node(nodeId);
  if (node?.unlisted.includes(id) !== true) return;
  draft.putNode({ ...node, unlisted: node.unlisted.filter((one) => one !== id) });
}

function sameToken({ token }: ExecutionRecord, report: ExecutionReport): boolean {
  const { jobVersion, partition, attempt } = report.token;
  return (
    token.jobVersion === jobVersion && token.partition === partition && token.attempt === attempt
  );
}

/** One number above the node's, because the owner's own verdict may stand at that of the node. */
function recordLate(draft: Draft, known: ExecutionRecord, report: ExecutionReport): void {
  const revision = report.revision + 1;
  const cause = `late: the node reported ${report.state} after this had ended as ${known.state}; it changes nothing`;
  const value = { revision, at: draft.now, from: known.state, to: known.state, cause };
  draft.op({ type: 'put', key: eventKey(known.id, revision), value });
  draft.putExecution({ ...known, revision: report.revision });
}

function idOf(report: ExecutionReport): ExecutionId | undefined {
  try {
    return parseExecutionId(report.executionId);
  } catch {
    return undefined;
  }
}

/** Without what belonged to a run that is over, once the report is of a later one. */
function atRun(known: ExecutionRecord, run: number): ExecutionRecord {
  if (run === known.run) return known;
  const { outcome: _outcome, startedAt: _startedAt, finishedAt: _finishedAt, ...rest } = known;
  return rest;
}

function merge(known: ExecutionRecord, report: ExecutionReport, now: number): ExecutionRecord {
  const { outcome, startedAt, finishedAt, deadlineAt, published, stdout, stderr } = report;
  return {
    ...atRun(known, report.run),
    state: report.state,
    revision: report.revision,
    run: report.run,
    reason: report.reason,
    modifiedAt: now,
    ...(outcome === undefined ? {} : { outcome: plainOutcome(outcome) }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(deadlineAt === undefined ? {} : { deadlineAt }),
    ...(published === undefined ? {} : { published }),
    ...(stdout === undefined ? {} : { stdout }),
    ...(stderr === undefined ? {} : { stderr }),
  };
}

function plainOutcome({ by, code, reason }: NonNullable<ExecutionReport['outcome']>): Outcome {
  return { by, reason, ...(code === undefined ? {} : { code }) };
}

/** A service that fails for months must not fill the history: after the first runs only every hundredth is told. */
function isTold(run: number): boolean {
  return run < 20 || run % 100 === 0;
}

/** What a person wants to read in the job's history; every single step is in the execution's events. */
function recordHistory(draft: Draft, known: ExecutionRecord, report: ExecutionReport): void {
  if (draft.job(known.jobId) === undefined) return;
  const { jobId, id: executionId, nodeId: NodeID } = known;
  const begun = report.events.find(
    ({ revision, from, to }) => revision > known.revision && to === 'running' && from !== to,
  );
  const { run } = report;
  const resting = report.events.find(
    ({ revision, to }) => revision > known.revision && to === 'restarting',
  );
  if (resting !== undefined && isTold(run))
    draft.history(jobId, {
      ...{ topic: 'Restarting', message: resting.cause, executionId, details: { NodeID } },
      at: resting.at,
    });
  if (begun !== undefined && isTold(run))
    draft.history(jobId, {
      ...{ topic: 'Running Execution', executionId, details: { NodeID } },
      message: run === 0 ? 'Running' : `Running, run ${run}`,
      at: report.startedAt ?? begun.at,
    });
  if (!isTerminal(report.state)) return;
  const failed = report.state === 'failed' || report.state === 'declined';
  draft.history(jobId, {
    ...{ topic: 'Execution', message: endText(report.state, report), executionId },
    details: { NodeID, ...(failed ? { IsError: 'true' } : {}) },
    at: report.finishedAt ?? draft.now,
  });
}

function endText(state: ExecutionState, { outcome, reason }: ExecutionReport): string {
  if (state === 'completed') return 'Completed successfully';
  if (state === 'declined') return `Declined by the node: ${reason}`;
  if (state === 'cancelled') return `Cancelled: ${reason}`;
  return `Failed: ${describeFailure(outcome && plainOutcome(outcome), reason)}`;
}

/** The owner's own verdict on an execution that its node no longer has. */
export function markLost(
  draft: Draft,
  execution: ExecutionRecord,
  cause = `${execution.nodeId} no longer has it, and its executor ${execution.executor} has recovered`,
): void {
  const outcome: Outcome = { by: 'lost', reason: 'lost_on_node' };
  const revision = execution.revision + 1;
  draft.putExecution({
    ...execution,
    state: 'failed',
    outcome,
    reason: 'lost_on_node',
    modifiedAt: draft.now,
    finishedAt: draft.now,
  });
  draft.op({
    type: 'put',
    key: eventKey(execution.id, revision),
    value: { revision, at: draft.now, from: execution.state, to: 'failed', cause },
  });
  draft.history(execution.jobId, {
    topic: 'Execution',
    message: `Lost: ${cause}`,
    executionId: execution.id,
    details: { NodeID: execution.nodeId, IsError: 'true' },
  });
}
