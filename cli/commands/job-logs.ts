/** `limpet job logs ID` */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { findJobId, listExecutions, pickOne } from '../jobs/find-job.ts';
import { streamLogs } from '../jobs/stream-logs.ts';
import { apiCommand, connect, wholeNumber } from '../options.ts';
import type { ApiOptions } from '../options.ts';

interface LogsOptions extends ApiOptions {
  readonly follow?: boolean;
  readonly execution?: string;
  readonly tail?: number;
  readonly stream?: 'stdout' | 'stderr';
}

export function jobLogs(context: Context): Command {
  return apiCommand('logs', 'show the output of a job')
    .argument('<job>', 'name, id, or a unique beginning or end of the id')
    .option('-f, --follow', 'stay until the work ends')
    .option('-e, --execution <id>', 'of this execution; else of the newest')
    .option('-n, --tail <lines>', 'only the last lines', wholeNumber)
    .addOption(new Option('--stream <name>', 'only this one').choices(['stdout', 'stderr']))
    .action(async (text: string, options: LogsOptions) => {
      const api = connect(context, options);
      const jobId = await findJobId(api, text);
      const execution =
        options.execution === undefined
          ? undefined
          : pickOne(await listExecutions(api, jobId), (item) => item.ID, {
              what: 'execution',
              text: options.execution,
              list: `limpet job executions ${text}`,
            }).ID;
      await streamLogs(api, context, {
        jobId,
        execution,
        follow: options.follow ?? false,
        tail: options.tail,
        stream: options.stream,
        signal: new AbortController().signal,
      });
    });
}
