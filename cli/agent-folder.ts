/** The folder of this host's agent, for the commands below `limpet agent`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { dataFolder } from './api/endpoint.ts';
import type { Context } from './context.ts';
import { LAYOUT } from './install/layout.ts';

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

/** Of an order that is carried out without the agent: --data, what --config names, else the agent of this host. */
export function folderOfOrder(
  context: Context,
  { config, data }: { readonly config?: string | undefined; readonly data?: string | undefined },
): string {
  if (data !== undefined) return data;
  if (config !== undefined) return dataDirOf(config) ?? LAYOUT.agentData;
  return join(dataFolder(context.env), 'agent');
}

/** What is wrong with the file is told by the agent's program, which reads it with its schema. */
function dataDirOf(file: string): string | undefined {
  try {
    const json: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return z.object({ dataDir: z.string() }).safeParse(json).data?.dataDir;
  } catch {
    return undefined;
  }
}
