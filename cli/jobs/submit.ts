/** Sends a job and, when asked, stays with it to its end. */
import { LimpetError } from '../../core/errors.ts';
import { shortId } from '../../core/ids.ts';
import type { WatchEvent } from '../../wire/http.ts';
import type { ApiClient } from '../api/client.ts';
import { stringifyExact } from '../api/exact-json.ts';
import { putJobReply } from '../api/models.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { duration } from '../output/format.ts';
import { Progress, progressText } from '../output/progress.ts';
import { exitCodeOf, whyNot } from './exit-code.ts';
import { streamLogs } from './stream-logs.ts';
import { watchJob } from './watch-job.ts';

export interface SubmitOptions {
  readonly wait: boolean;
  /** Shows the logs too; implies wait. */
  readonly follow: boolean;
  /** The id alone on stdout. */
  readonly idOnly: boolean;
  readonly output: 'table' | 'json';
}

/** The exit code: that of the job when waited for, else 0. */
export async function submitJob(
  context: Context,
  api: ApiClient,
  job: unknown,
  options: SubmitOptions,
): Promise<number> {
  const startedAt = context.now();
  const reply = await api.call('PUT', 'orchestrator/jobs', putJobReply, {
    body: { Job: job, Force: false },
  });
  for (const warning of reply.Warnings) note(context, `warning: ${warning}`);
  const stay = options.wait || options.follow;
  if (options.idOnly) print(context, reply.JobID);
  else if (options.output === 'table') announce(context, reply.JobID, stay);
  if (!stay) {
    if (options.output === 'json' && !options.idOnly) print(context, stringifyExact(reply));
    return 0;
  }
  const end = await stayWith(context, api, { jobId: reply.JobID, follow: options.follow });
  const exitCode = exitCodeOf(end);
  if (options.output === 'json' && !options.idOnly)
    print(context, stringifyExact({ ...reply, ...end, exitCode }));
  const why = whyNot(end);
  const took = duration(context.now() - startedAt);
  note(
    context,
    `job ${shortId(reply.JobID)} ${end.job.state.toLowerCase()} after ${took}${why === '' ? '' : `: ${why}`}`,
  );
  return exitCode;
}

function announce(context: Context, jobId: string, stay: boolean): void {
  if (stay) {
    note(context, `job ${shortId(jobId)} submitted (${jobId})`);
    return;
  }
  const id = shortId(jobId);
  print(context, `job ${id} submitted (${jobId})`);
  print(context, `  limpet job describe ${id}    what became of it`);
  print(context, `  limpet job logs -f ${id}     its output`);
}

interface Stay {
  readonly jobId: string;
  readonly follow: boolean;
}

async function stayWith(context: Context, api: ApiClient, stay: Stay): Promise<WatchEvent> {
  const leave = new AbortController();
  const onInterrupt = (): void => {
    leave.abort();
  };
  process.once('SIGINT', onInterrupt);
  const progress = new Progress(context, stay.jobId);
  try {
    const watched = watchJob(api, stay.jobId, {
      signal: leave.signal,
      onEvent: (event) => {
        if (!stay.follow) progress.show(progressText(event));
      },
      onAway: (message) => {
        progress.show(`${message}; waiting for it`);
      },
    });
    if (!stay.follow) return await watched;
    const [end] = await Promise.all([watched, follow(context, api, stay.jobId, leave.signal)]);
    return end;
  } catch (error) {
    if (!leave.signal.aborted) throw error;
    throw new LimpetError(
      'cancelled',
      `no longer waiting; the job goes on: \`limpet job describe ${shortId(stay.jobId)}\``,
      { cause: error },
    );
  } finally {
    process.off('SIGINT', onInterrupt);
    progress.clear();
    leave.abort();
  }
}

/** A log that cannot be shown to its end is said so, and does not change how the job went. */
async function follow(
  context: Context,
  api: ApiClient,
  jobId: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await streamLogs(api, context, { jobId, follow: true, signal });
  } catch (error) {
    const problem = LimpetError.from(error);
    if (problem.code !== 'cancelled')
      note(context, `warning: the log is not whole: ${problem.message}`);
  }
}
