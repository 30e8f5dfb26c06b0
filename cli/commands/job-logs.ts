/** `limpet job logs ID` */
import { Option } from 'commander';
import type { Command } from 'commander';
import { LimpetError } from '../../core/errors.ts';
import { isTerminalJobState, JOB_STATES } from '../../core/job.ts';
import type { ApiClient } from '../api/client.ts';
import type { Job } from '../api/models.ts';
import { note } from '../context.ts';
import type { Context } from '../context.ts';
import { findJobId, listExecutions, pickOne } from '../jobs/find-job.ts';
import { getJob, showLog } from '../logs/show-log.ts';
import { parseSince } from '../logs/since.ts';
import { apiCommand, connect, wholeNumber } from '../options.ts';
import type { ApiOptions } from '../options.ts';
import { oneLine, shortenIds } from '../output/table.ts';

const INTERRUPTED = 130;
const EXAMPLES = `
Examples:
  limpet job logs -f hello
  limpet job logs hello --since 10m --timestamps
  limpet job logs hello --output json | jq -r 'select(.stream == "stderr").text'`;

interface LogsOptions extends ApiOptions {
  readonly follow?: boolean;
  readonly execution?: string;
  readonly tail?: number;
  readonly since?: number;
  readonly stream?: 'stdout' | 'stderr';
  readonly timestamps?: boolean;
  readonly output: 'text' | 'json';
}

export function jobLogs(context: Context, done: (exitCode: number) => void): Command {
  return apiCommand('logs', 'show the output of a job')
    .argument('<job>', 'name, id, or a unique beginning or end of the id')
    .option('-f, --follow', 'wait for the work to start, and stay until it ends')
    .option('-n, --tail <lines>', 'only the last lines of each execution', wholeNumber)
    .option('--since <time>', 'only what was written since: 10m, 2h, 1d ago, or a time', (text) =>
      parseSince(text, context.now()),
    )
    .addOption(new Option('--stream <name>', 'only this one').choices(['stdout', 'stderr']))
    .option('-e, --execution <id>', 'of this execution; else of the newest of each partition')
    .option('-t, --timestamps', 'before each line when it was written, in UTC')
    .addOption(
      new Option('-o, --output <form>', 'bytes as they are, or a JSON object for each piece')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addHelpText('after', EXAMPLES)
    .action(async (text: string, options: LogsOptions) => {
      done(await logs(context, text, options));
    });
}

async function logs(context: Context, text: string, options: LogsOptions): Promise<number> {
  const api = connect(context, options);
  const job = await getJob(api, await findJobId(api, text));
  const leave = new AbortController();
  const onInterrupt = (): void => leave.abort();
  process.once('SIGINT', onInterrupt);
  const { follow = false, tail, since: sinceMs, stream } = options;
  const execution = await executionOf(api, job, options);
  try {
    const { message } = await showLog(api, context, {
      job,
      request: { jobId: job.ID, follow, tail, sinceMs, stream, execution },
      signal: leave.signal,
      form: options.output,
      timestamps: options.timestamps ?? false,
      tellsOfWaiting: true,
    });
    if (message !== '') note(context, whyNothing(job));
    return 0;
  } catch (thrown) {
    if (!leave.signal.aborted || LimpetError.from(thrown).code !== 'cancelled') throw thrown;
    // Behind the ^C.
    if (context.stderr.isTTY === true) context.stderr.write('\n');
    return INTERRUPTED;
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

async function executionOf(
  api: ApiClient,
  job: Job,
  { execution: text }: LogsOptions,
): Promise<string | undefined> {
  if (text === undefined) return undefined;
  const list = `limpet job executions ${job.Name || job.ID}`;
  const all = await listExecutions(api, job.ID);
  return pickOne(all, (item) => item.ID, { what: 'execution', text, list }).ID;
}

/** A job without any execution. */
function whyNothing({ Name, ID, State }: Job): string {
  const { StateType, Message } = State;
  const state = JOB_STATES.find((known) => known === StateType);
  const why = Message === '' ? '' : `: ${Message}`;
  const next = state !== undefined && isTerminalJobState(state) ? '' : '; -f waits for it to start';
  return shortenIds(oneLine(`no output: ${Name || ID} is ${StateType.toLowerCase()}${why}${next}`));
}
