/** `limpet job stop ID...` */
import type { Command } from 'commander';
import { shortId } from '../../core/ids.ts';
import { stringifyExact } from '../api/exact-json.ts';
import { stopReply } from '../api/models.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { findJobId } from '../jobs/find-job.ts';
import { sayForeign } from '../jobs/foreign-word.ts';
import { apiCommand, connect, outputOption } from '../options.ts';
import type { ApiOptions, OutputOptions } from '../options.ts';

export function jobStop(context: Context): Command {
  return apiCommand('stop', 'stop jobs')
    .argument('<job...>', 'names, ids, or unique beginnings or ends of ids')
    .option('--reason <text>', 'kept in the history', 'stopped by its user')
    .option('--foreign', 'stop executions that a node found without a record, named by their ids')
    .addOption(outputOption())
    .action(
      async (
        texts: string[],
        options: ApiOptions & OutputOptions & { reason: string; foreign?: boolean },
      ) => {
        const api = connect(context, options);
        if (options.foreign === true) {
          for (const id of texts) print(context, await sayForeign(api, id, 'stop'));
          return;
        }
        for (const text of texts) {
          const id = await findJobId(api, text);
          const reply = await api.call(
            'DELETE',
            `orchestrator/jobs/${encodeURIComponent(id)}`,
            stopReply,
            {
              body: { reason: options.reason },
            },
          );
          if (options.output === 'json') print(context, stringifyExact({ JobID: id, ...reply }));
          else
            print(
              context,
              `job ${shortId(id)} ${reply.EvaluationID === '' ? 'was stopped already' : 'is stopping'}`,
            );
        }
      },
    );
}
