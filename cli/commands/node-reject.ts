/** `limpet node reject ID` */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { apiCommand, connect } from '../options.ts';
import type { ApiOptions } from '../options.ts';
import { decideNodes } from './node-decision.ts';

export function nodeReject(context: Context): Command {
  return apiCommand('reject', 'stop what a node runs for this requester, and shut it out')
    .argument('<node>', 'id, or a unique beginning or end of it')
    .option('-m, --message <text>', 'why; shown with the node, and to it')
    .action(async (node: string, options: ApiOptions & { readonly message?: string }) => {
      const { message } = options;
      await decideNodes(context, connect(context, options), {
        nodes: [node],
        word: { action: 'reject', done: 'rejected', message },
      });
    });
}
