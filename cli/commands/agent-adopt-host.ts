/** `limpet agent adopt-host [--dry-run]`: the data folder of an agent of another machine becomes this machine's. */
import { Command } from 'commander';
import { z } from 'zod';
import { folderOfOrder } from '../agent-folder.ts';
import { runAgentProgram } from '../agent-program.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';

const ORDER_MS = 30_000;

const MEANING = `
For a data folder that was moved here: with a disk, a backup or a copy. The agent refuses to start on another machine,
because two agents with one identity must not run. So end the other one for good first, or remove its folder there.
What the other machine held is not here: its runs are lost, and nothing is started from the records that came along
before the requester has told how far it was. A copy that is to be a node of its own: limpet agent reset --identity.`;

interface AdoptHostOptions {
  readonly config?: string;
  readonly data?: string;
  readonly dryRun?: boolean;
}

const reportSchema = z.looseObject({
  dryRun: z.boolean(),
  nodeId: z.string(),
  dataDir: z.string(),
  before: z.string().optional(),
  machineId: z.string().optional(),
});

export function agentAdoptHost(context: Context): Command {
  return new Command('adopt-host')
    .description("make the folder of an agent of another machine this machine's")
    .option('--dry-run', 'only show what would change')
    .option('--config <file>', "the agent's configuration")
    .option(
      '--data <folder>',
      "the agent's folder; else agent/ in LIMPET_DATA, ~/.limpet or /var/lib/limpet",
    )
    .addHelpText('after', MEANING)
    .action(async (_options: unknown, command: Command) => {
      const { config, data, dryRun }: AdoptHostOptions = command.optsWithGlobals();
      const folder = folderOfOrder(context, { config, data });
      const order = ['--adopt-host', ...(dryRun === true ? ['--dry-run'] : [])];
      const answer = await runAgentProgram({ folder, config, order }, ORDER_MS);
      print(context, textOf(reportSchema.parse(answer)));
    });
}

function textOf(report: z.infer<typeof reportSchema>): string {
  const { dryRun, nodeId, dataDir, before, machineId } = report;
  const node = `node ${nodeId} of ${dataDir}`;
  if (machineId === undefined)
    return `${node}\nthis machine has no id (/etc/machine-id), so nothing is compared: the agent starts as it is`;
  if (before === undefined)
    return `${node}\nit belongs to no machine yet: the next start of the agent makes it this one's`;
  if (before === machineId) return `${node}\nit is this machine's already`;
  return [
    node,
    `${dryRun ? 'would change' : 'changed'} machine ${brief(before)} to ${brief(machineId)}`,
    `the agent of the other machine must never run with it again; its runs are lost here`,
  ].join('\n');
}

/** machine-id(5) asks not to spread it. */
function brief(machineId: string): string {
  return `${machineId.slice(0, 8)}...`;
}
