/** `limpet job validate FILE|-`: the strict check of `job run`, without a requester. */
import { Command } from 'commander';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { readJobFile } from '../jobs/read-job-file.ts';
import { outputOption } from '../options.ts';
import type { OutputOptions } from '../options.ts';

export function jobValidate(context: Context): Command {
  return new Command('validate')
    .description('check a job file without sending it')
    .argument('<file>', 'the job file; - reads stdin')
    .addOption(outputOption())
    .action(async (file: string, options: OutputOptions) => {
      const { spec, warnings } = await readJobFile(context, file);
      for (const warning of warnings) note(context, `warning: ${warning}`);
      print(context, options.output === 'json' ? JSON.stringify(spec, undefined, 2) : 'OK');
    });
}
