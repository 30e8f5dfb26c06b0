/** The folder of this host's agent, for the commands below `limpet agent`. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { dataFolder } from './api/endpoint.ts';
import type { Context } from './context.ts';

export function folderOf(command: Command): Command {
  return command.option(
    '--data <folder>',
    "the agent's folder; else agent/ in LIMPET_DATA, ~/.limpet or /var/lib/limpet",
  );
}

/** `limpet agent` has the same option and takes it, wherever it stands: the options of both count. */
export function agentFolder(context: Context, command: Command): string {
  const { data }: { readonly data?: string } = command.optsWithGlobals();
  return data ?? join(dataFolder(context.env), 'agent');
}
