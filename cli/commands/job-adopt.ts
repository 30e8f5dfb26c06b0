/** `limpet job adopt ID --foreign` */
import type { Command } from 'commander';
import { LimpetError } from '../../core/errors.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { sayForeign } from '../jobs/foreign-word.ts';
import { apiCommand, connect } from '../options.ts';
import type { ApiOptions } from '../options.ts';

export function jobAdopt(context: Context): Command {
  return apiCommand('adopt', 'keep work that a node found without a record')
    .argument(
      '<execution...>',
      'ids, or unique beginnings or ends of them; see `limpet node describe`',
    )
    .option('--foreign', 'say that foreign work is meant')
    .action(async (ids: string[], options: ApiOptions & { foreign?: boolean }) => {
      if (options.foreign !== true)
        throw new LimpetError(
          'invalid-argument',
          'only foreign work can be adopted; add --foreign',
        );
      const api = connect(context, options);
      for (const id of ids) print(context, await sayForeign(api, id, 'adopt'));
    });
}
