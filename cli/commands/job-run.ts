/** `limpet job run FILE|-` */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { readJobFile } from '../jobs/read-job-file.ts';
import { submitJob } from '../jobs/submit.ts';
import { apiCommand, connect, outputOption } from '../options.ts';
import type { ApiOptions, OutputOptions } from '../options.ts';
import { note } from '../context.ts';

interface RunOptions extends ApiOptions, OutputOptions {
  readonly wait?: boolean;
  readonly follow?: boolean;
  readonly idOnly?: boolean;
}

export function jobRun(context: Context, done: (exitCode: number) => void): Command {
  return apiCommand('run', 'submit a job file (YAML or JSON)')
    .argument('<file>', 'the job file; - reads stdin')
    .option('-w, --wait', 'stay until the job ends, and exit with its exit code')
    .option('-f, --follow', 'show its output too; implies --wait')
    .option('--id-only', 'print the id of the job and nothing else')
    .addOption(outputOption())
    .action(async (file: string, options: RunOptions) => {
      const { data, warnings } = await readJobFile(context, file);
      for (const warning of warnings) note(context, `warning: ${warning}`);
      done(
        await submitJob(context, connect(context, options), data, {
          wait: options.wait ?? false,
          follow: options.follow ?? false,
          idOnly: options.idOnly ?? false,
          output: options.output,
        }),
      );
    });
}
