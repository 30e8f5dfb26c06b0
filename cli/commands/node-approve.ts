/** `limpet node approve ID... | --all-pending` */
import type { Command } from 'commander';
import { LimpetError } from '../../core/errors.ts';
import { nodePage } from '../api/models.ts';
import { note } from '../context.ts';
import type { Context } from '../context.ts';
import { apiCommand, connect } from '../options.ts';
import type { ApiOptions } from '../options.ts';
import { decideNodes } from './node-decision.ts';

interface ApproveOptions extends ApiOptions {
  readonly allPending?: boolean;
  readonly message?: string;
}

export function nodeApprove(context: Context): Command {
  return apiCommand('approve', 'let nodes work here')
    .argument('[nodes...]', 'ids, or unique beginnings or ends of them')
    .option('--all-pending', 'all that wait for it')
    .option('-m, --message <text>', 'why; shown with the node')
    .action(async (nodes: readonly string[], options: ApproveOptions) => {
      if ((nodes.length === 0) === (options.allPending !== true))
        throw new LimpetError(
          'invalid-argument',
          'name the nodes, or say --all-pending; `limpet node list` shows who waits',
        );
      const api = connect(context, options);
      const query = { limit: 10_000, 'filter-approval': 'pending' };
      const waiting =
        options.allPending === true
          ? (await api.get('orchestrator/nodes', nodePage, { query })).Nodes
          : [];
      const all = [...nodes, ...waiting.map((node) => node.Info.NodeID)];
      if (all.length === 0) note(context, 'no node waits for it');
      const { message } = options;
      await decideNodes(context, api, {
        nodes: all,
        word: { action: 'approve', done: 'approved', message },
      });
    });
}
