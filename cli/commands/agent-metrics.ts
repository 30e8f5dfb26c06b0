/** `limpet agent metrics`: the counters and gauges of the agent of this host, in Prometheus' text form. */
import { Command } from 'commander';
import { agentFolder, folderOf } from '../agent-folder.ts';
import { askAgentText } from '../agent-socket.ts';
import type { Context } from '../context.ts';

export function agentMetrics(context: Context): Command {
  return folderOf(new Command('metrics'))
    .description("print the agent's metrics in Prometheus' text form")
    .action(async (_options: unknown, command: Command) => {
      const folder = agentFolder(context, command);
      context.stdout.write(await askAgentText(folder, 'GET', '/metrics'));
    });
}
