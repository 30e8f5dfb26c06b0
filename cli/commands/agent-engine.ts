/** `limpet agent engine accept NAME`: the engine that answers now is the one; runs of the one before it are lost. */
import { Command } from 'commander';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { agentFolder, folderOf } from '../agent-folder.ts';
import { askAgent } from '../agent-socket.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';

const acceptedSchema = z.looseObject({
  engineId: z.string(),
  givenUp: z.array(z.looseObject({ executionId: z.string(), run: z.number() })),
});

export function agentEngine(context: Context): Command {
  return new Command('engine')
    .description('the engines behind the executors of this host')
    .addCommand(accept(context));
}

function accept(context: Context): Command {
  return folderOf(new Command('accept'))
    .description(
      'accept the engine that answers now in place of another one; runs that the other one holds are lost',
    )
    .argument('<name>', 'the executor, such as docker')
    .action(async (name: string, _options: unknown, command: Command) => {
      const folder = agentFolder(context, command);
      const path = `/executors/${encodeURIComponent(name)}/accept-engine`;
      const answer = acceptedSchema.safeParse(await askAgent(folder, 'POST', path));
      if (!answer.success)
        throw new LimpetError('version-mismatch', 'the agent answers in another version');
      const { engineId, givenUp } = answer.data;
      print(context, `executor ${name} now uses engine ${engineId}`);
      for (const { executionId, run } of givenUp)
        print(context, `given up: ${executionId} run ${run}, held by another engine`);
    });
}
