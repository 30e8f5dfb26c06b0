/** `limpet job validate FILE|-`: the strict check of `job run`, and of the engine's params where a requester answers. */
import type { Command } from 'commander';
import { LimpetError } from '../../core/errors.ts';
import type { ApiClient } from '../api/client.ts';
import { jobCheckedReply } from '../api/models.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { readJobFile } from '../jobs/read-job-file.ts';
import { apiCommand, connect, outputOption } from '../options.ts';
import type { ApiOptions, OutputOptions } from '../options.ts';

export function jobValidate(context: Context): Command {
  return apiCommand('validate', 'check a job file without sending it to work')
    .argument('<file>', 'the job file; - reads stdin')
    .addHelpText(
      'after',
      '\nThe params of the engine are checked by what the nodes of the requester take, when it answers.',
    )
    .addOption(outputOption())
    .action(async (file: string, options: ApiOptions & OutputOptions) => {
      const { spec, data, warnings } = await readJobFile(context, file);
      for (const warning of warnings) note(context, `warning: ${warning}`);
      const unchecked = await paramsUnchecked(context, options, data);
      if (unchecked !== undefined)
        note(context, `the params of the engine were not checked: ${unchecked}`);
      print(context, options.output === 'json' ? JSON.stringify(spec, undefined, 2) : 'OK');
    });
}

/** undefined: they were, or there is no requester that could. Errors: `refused`, what is wrong with them. */
async function paramsUnchecked(
  context: Context,
  options: ApiOptions,
  job: unknown,
): Promise<string | undefined> {
  const api = requesterOf(context, options);
  if (api === undefined) return undefined;
  try {
    const body = { Job: job };
    const reply = await api.call('POST', 'limpet/jobs/validate', jobCheckedReply, { body });
    return reply.ParamsChecked ? undefined : reply.Reason;
  } catch (thrown) {
    const error = LimpetError.from(thrown);
    if (error.code === 'refused' || error.code === 'cancelled') throw error;
    return error.message;
  }
}

/** undefined: none is named, and none has been here; the check is that of the file alone. */
function requesterOf(context: Context, options: ApiOptions): ApiClient | undefined {
  try {
    return connect(context, options);
  } catch (thrown) {
    if (LimpetError.from(thrown).code === 'unavailable') return undefined;
    throw thrown;
  }
}
