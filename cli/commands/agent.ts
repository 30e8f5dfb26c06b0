/** `limpet agent` runs the agent here; `limpet agent status` asks one over its socket. */
import { join } from 'node:path';
import { Command } from 'commander';
import { dataFolder } from '../api/endpoint.ts';
import type { Context } from '../context.ts';
import { runProgram } from '../programs.ts';
import { agentAdoptHost } from './agent-adopt-host.ts';
import { agentDrain } from './agent-drain.ts';
import { agentEngine } from './agent-engine.ts';
import { agentForeign } from './agent-foreign.ts';
import { agentKey } from './agent-key.ts';
import { agentLogs } from './agent-logs.ts';
import { agentMetrics } from './agent-metrics.ts';
import { agentReload } from './agent-reload.ts';
import { agentReset } from './agent-reset.ts';
import { agentStatus } from './agent-status.ts';
import { agentStop } from './agent-stop.ts';
import { agentSweep } from './agent-sweep.ts';
import { upgrade } from './agent-upgrade.ts';

export interface ProgramOptions {
  readonly config?: string;
  readonly data?: string;
}

export function agent(context: Context, done: (exitCode: number) => void): Command {
  return new Command('agent')
    .description('run the compute-node agent in the foreground')
    .option('--config <file>', 'its configuration')
    .option(
      '--data <folder>',
      'its folder; else the one of --config, or agent/ in LIMPET_DATA, ~/.limpet or /var/lib/limpet',
    )
    .action(async (options: ProgramOptions) => {
      const folder = join(dataFolder(context.env), 'agent');
      const data = options.config === undefined ? { data: folder } : {};
      done(await runProgram('agent', programArgs({ ...data, ...options })));
    })
    .addCommand(agentStatus(context))
    .addCommand(agentStop(context))
    .addCommand(agentDrain(context))
    .addCommand(agentLogs(context, done))
    .addCommand(agentReload(context))
    .addCommand(agentMetrics(context))
    .addCommand(agentEngine(context))
    .addCommand(agentForeign(context))
    .addCommand(agentSweep(context))
    .addCommand(agentReset(context))
    .addCommand(agentAdoptHost(context))
    .addCommand(agentKey(context))
    .addCommand(upgrade(context));
}

export function programArgs({ config, data }: ProgramOptions): string[] {
  return [
    ...(config === undefined ? [] : ['--config', config]),
    ...(data === undefined ? [] : ['--data', data]),
  ];
}
