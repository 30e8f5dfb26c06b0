/** Sends a job and, when asked, stays with it to its end. */
import { shortId } from '../../core/ids.ts';
import type { ApiClient } from '../api/client.ts';
import { stringifyExact } from '../api/exact-json.ts';
import { putJobReply } from '../api/models.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { duration } from '../output/format.ts';
import { shortenIds } from '../output/table.ts';
import { exitCodeOf, whyNot } from './exit-code.ts';
import { stayWith } from './stay-with.ts';

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
  const why = shortenIds(whyNot(end));
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
