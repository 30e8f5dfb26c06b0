/** `limpet job list` */
import type { Command } from 'commander';
import { shortId } from '../../core/ids.ts';
import { stringifyExact } from '../api/exact-json.ts';
import { toMs } from '../api/models.ts';
import type { Job } from '../api/models.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { listJobs } from '../jobs/find-job.ts';
import { apiCommand, connect, outputOption, wholeNumber } from '../options.ts';
import type { ApiOptions, OutputOptions } from '../options.ts';
import { age } from '../output/format.ts';
import { formatTable } from '../output/table.ts';

interface ListOptions extends ApiOptions, OutputOptions {
  readonly limit: number;
  readonly all?: boolean;
  readonly labels?: string;
}

export function jobList(context: Context): Command {
  return apiCommand('list', 'list jobs, the newest first')
    .option('-n, --limit <count>', 'how many', wholeNumber, 20)
    .option('-a, --all', 'all of them')
    .option('-l, --labels <selector>', 'only jobs with these labels, such as team=a,!canary')
    .addOption(outputOption())
    .action(async (options: ListOptions) => {
      const jobs = await listJobs(connect(context, options), {
        ...(options.all === true ? {} : { limit: options.limit }),
        ...(options.labels === undefined ? {} : { labels: options.labels }),
      });
      if (options.output === 'json') print(context, stringifyExact(jobs));
      else if (jobs.length === 0) note(context, 'no jobs; submit one with `limpet job run FILE`');
      else print(context, jobTable(jobs, context.now()));
    });
}

export function jobTable(jobs: readonly Job[], nowMs: number): string {
  const rows = jobs.map((job) => [
    shortId(job.ID),
    job.Name === job.ID ? '' : cut(job.Name),
    job.Tasks[0]?.Engine.Type ?? '',
    job.Type,
    job.State.StateType,
    age(toMs(job.CreateTime), nowMs),
    job.State.Message,
  ]);
  return formatTable(['id', 'name', 'engine', 'type', 'state', 'age', 'message'], rows);
}

function cut(name: string): string {
  return name.length > 40 ? `${name.slice(0, 39)}\u2026` : name;
}
