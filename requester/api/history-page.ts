/** One page of a job's history. The token stays non-empty until nothing more can come: clients wait by following it. */
import { LimpetError } from '../../core/errors.ts';
import { isTerminalJobState } from '../../core/job.ts';
import type { Reader } from '../state/reader.ts';
import type { JobRecord } from '../state/records.ts';
import { historyShape } from './job-shape.ts';
import { count, pageOffset, pageToken } from './query.ts';

const DEFAULT_LIMIT = 100;

export async function historyPage(
  reader: Reader,
  job: JobRecord,
  query: Readonly<Record<string, string | undefined>>,
) {
  const kind = (query['event_type'] ?? '').toLowerCase();
  if (!['', 'all', 'job', 'execution'].includes(kind))
    throw new LimpetError(
      'invalid-argument',
      `event_type is '${kind}'; expected all, job or execution`,
    );
  const sinceMs = (count(query['since'], 'since') ?? 0) * 1000;
  const execution = query['execution_id'] ?? '';
  const limit = count(query['limit'], 'limit') ?? DEFAULT_LIMIT;
  const offset = pageOffset(query['next_token']);
  const items = (await reader.history(job.id)).filter(
    (item) =>
      item.at >= sinceMs &&
      (kind !== 'job' || item.executionId === undefined) &&
      (kind !== 'execution' || item.executionId !== undefined) &&
      (item.executionId ?? '').startsWith(execution),
  );
  const page = limit === 0 ? items.slice(offset) : items.slice(offset, offset + limit);
  const next = offset + page.length;
  // Read before the history: a job that had ended then has its whole history in these items.
  const more = next < items.length || !isTerminalJobState(job.state);
  return {
    NextToken: more ? pageToken(next) : '',
    Items: page.map((item) => historyShape(item, job.id)),
  };
}
