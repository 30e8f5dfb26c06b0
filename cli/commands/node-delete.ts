/** `limpet node delete ID` */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { apiCommand, connect } from '../options.ts';
import type { ApiOptions } from '../options.ts';
import { decideNodes } from './node-decision.ts';

export function nodeDelete(context: Context): Command {
  return apiCommand('delete', 'forget a node that is gone and holds nothing')
    .argument('<node>', 'id, or a unique beginning or end of it')
    .action(async (node: string, options: ApiOptions) => {
      await decideNodes(context, connect(context, options), {
        nodes: [node],
        word: { action: 'delete', done: 'deleted' },
      });
    });
}
