/**
 * A partition has at most one accepted result, the first that is reported. Another one can only come of an execution that
 * was placed before its owner forgot it: it is recorded as stopped by its owner, with the true code, and its result is
 * not offered.
 */
import { partitionOf } from '../scheduling/partitions.ts';
import type { Draft } from '../state/draft.ts';
import type { Reader } from '../state/reader.ts';
import type { ExecutionRecord } from '../state/records.ts';
import type { ExecutionReport } from '../../wire/messages.ts';

export async function asAccepted(
  { draft, reader }: { readonly draft: Draft; readonly reader: Reader },
  known: ExecutionRecord,
  report: ExecutionReport,
): Promise<ExecutionReport> {
  if (report.state !== 'completed') return report;
  const first = await resultOf({ draft, reader }, known);
  if (first === undefined) return report;
  const reason = `the result of ${first.id} was accepted for this partition before`;
  const { published: _published, ...rest } = report;
  const events = report.events.map((event) =>
    event.to === 'completed'
      ? { ...event, cause: `${event.cause}; not accepted: ${reason}` }
      : event,
  );
  const outcome = { ...report.outcome, by: 'stop', reason } as const;
  return { ...rest, state: 'cancelled', reason, outcome, events };
}

async function resultOf(
  { draft, reader }: { readonly draft: Draft; readonly reader: Reader },
  known: ExecutionRecord,
): Promise<ExecutionRecord | undefined> {
  const live = draft.job(known.jobId);
  const job = live ?? (await reader.job(known.jobId));
  if (job === undefined) return undefined;
  const all = live === undefined ? await reader.executionsOf(job.id) : [...draft.executions()];
  const partition = partitionOf(job, known);
  return all.find(
    (one) =>
      one.jobId === job.id &&
      one.id !== known.id &&
      one.state === 'completed' &&
      partitionOf(job, one) === partition,
  );
}
