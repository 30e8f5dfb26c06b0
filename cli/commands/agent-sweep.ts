/** `limpet agent sweep [--dry-run]`: what is provenly left of executions that are over, and why it may go. */
import { Command } from 'commander';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { agentFolder, folderOf } from '../agent-folder.ts';
import { askAgent } from '../agent-socket.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';

const leftovers = z.array(
  z.looseObject({ kind: z.string(), what: z.string(), evidence: z.string() }),
);
const reportSchema = z.looseObject({ dryRun: z.boolean(), swept: leftovers, kept: leftovers });

export function agentSweep(context: Context): Command {
  return folderOf(new Command('sweep'))
    .description('remove what is provenly left of executions that are over')
    .option('--dry-run', 'only show what would be removed, and on what evidence')
    .action(async (options: { dryRun?: boolean }, command: Command) => {
      const order = { dryRun: options.dryRun === true };
      const answer = await askAgent(agentFolder(context, command), 'POST', '/sweep', order);
      const report = reportSchema.safeParse(answer);
      if (!report.success)
        throw new LimpetError('version-mismatch', 'the agent answers in another version');
      print(context, text(report.data));
    });
}

function text({ dryRun, swept, kept }: z.infer<typeof reportSchema>): string {
  const done = dryRun ? 'would remove' : 'removed';
  const lines = [
    ...swept.map(({ kind, what, evidence }) => `${done} ${kind} ${what}\n    ${evidence}`),
    ...kept.map(({ kind, what, evidence }) => `kept ${kind} ${what}\n    ${evidence}`),
  ];
  return lines.length === 0 ? 'nothing is left of executions that are over' : lines.join('\n');
}
