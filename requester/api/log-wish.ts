/** What part of a log a request asks for. */
import type { Context } from 'hono';
import { LimpetError } from '../../core/errors.ts';
import { parseLogPosition } from '../../wire/log-position.ts';
import type { LogQuery } from '../logs/log-query.ts';
import { pathPart } from './answer.ts';
import type { ApiContext } from './context.ts';
import { findExecution, findJob } from './lookup.ts';
import { count, flag } from './query.ts';

export type LogWish = Omit<LogQuery, 'signal'>;

/** Errors: `not-found`, `ambiguous-id`, `invalid-argument`. */
export async function logWish({ reader }: ApiContext, c: Context): Promise<LogWish> {
  const { req } = c;
  const job = await findJob(reader, pathPart(c, 'id'), req.query('namespace') ?? '');
  const chosen = req.query('execution') ?? '';
  const execution = chosen === '' ? undefined : await findExecution(reader, chosen);
  if (execution !== undefined && execution.jobId !== job.id)
    throw new LimpetError('not-found', `execution ${execution.id} is none of job ${job.id}`);
  const tail = count(req.query('tail'), 'tail');
  const sinceMs = timeOf(req.query('since'));
  // A client that connects again by itself tells where it was; its URL is that of before.
  const after = req.header('last-event-id') ?? req.query('after') ?? '';
  return {
    jobId: job.id,
    follow: flag(req.query('follow'), 'follow'),
    streams: streamsOf(req.query('stream')),
    ...(execution === undefined ? {} : { executionId: execution.id }),
    ...(tail === undefined ? {} : { tail }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(after === '' ? {} : { after: parseLogPosition(after) }),
  };
}

function streamsOf(text: string | undefined): LogWish['streams'] {
  if (text === undefined || text === '' || text === 'all') return ['stdout', 'stderr'];
  if (text === 'stdout' || text === 'stderr') return [text];
  throw new LimpetError('invalid-argument', `stream is '${text}'; expected stdout, stderr or all`);
}

const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

function timeOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const time = RFC_3339.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(time)) return time;
  throw new LimpetError(
    'invalid-argument',
    `since is '${text}'; expected milliseconds since the epoch, or a time such as 2026-01-31T08:00:00Z`,
  );
}
