/** `limpet requester` runs the requester here; `limpet requester init` makes the authority over its broker. */
import { join } from 'node:path';
import { Command } from 'commander';
import { dataFolder } from '../api/endpoint.ts';
import type { Context } from '../context.ts';
import { runProgram } from '../programs.ts';
import { upgrade } from './agent-upgrade.ts';
import { programArgs } from './agent.ts';
import { requesterInit } from './requester-init.ts';
import { requesterRenew } from './requester-renew.ts';
import { requesterToken } from './requester-token.ts';
import type { ProgramOptions } from './agent.ts';

export function requester(context: Context, done: (exitCode: number) => void): Command {
  return new Command('requester')
    .description('run the requester in the foreground')
    .option('--config <file>', 'its configuration')
    .option(
      '--data <folder>',
      'its folder; else requester/ in LIMPET_DATA, ~/.limpet or /var/lib/limpet',
    )
    .action(async (options: ProgramOptions) => {
      const data = join(dataFolder(context.env), 'requester');
      done(await runProgram('requester', programArgs({ data, ...options })));
    })
    .addCommand(requesterInit(context, done))
    .addCommand(requesterRenew(context, done))
    .addCommand(upgrade(context))
    .addCommand(requesterToken(context));
}
