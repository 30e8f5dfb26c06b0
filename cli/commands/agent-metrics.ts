/** `limpet agent metrics`: the counters and gauges of the agent of this host, in Prometheus' text form. */
import { join } from 'node:path';
import { Command } from 'commander';
import { askAgentText } from '../agent-socket.ts';
import { dataFolder } from '../api/endpoint.ts';
import type { Context } from '../context.ts';

export function agentMetrics(context: Context): Command {
  return new Command('metrics')
    .description("print the agent's metrics in Prometheus' text form")
    .option('--data <folder>', "the agent's folder; else agent/ in LIMPET_DATA or ~/.limpet")
    .action(async (options: { data?: string }) => {
      const folder = options.data ?? join(dataFolder(context.env), 'agent');
      context.stdout.write(await askAgentText(folder, 'GET', '/metrics'));
    });
}
