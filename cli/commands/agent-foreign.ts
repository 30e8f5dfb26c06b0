/** `limpet agent foreign [adopt|stop ID]`: what this host's agent found without a record, and an operator's word on it. */
import { Command } from 'commander';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { shortId } from '../../core/ids.ts';
import { agentFolder, folderOf } from '../agent-folder.ts';
import { askAgent } from '../agent-socket.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { age } from '../output/format.ts';
import { formatTable } from '../output/table.ts';

const listSchema = z.looseObject({
  foreign: z.array(
    z.looseObject({
      id: z.string(),
      executor: z.string(),
      run: z.number(),
      state: z.string(),
      since: z.number(),
      jobName: z.string(),
      owner: z.string(),
      answer: z.string(),
    }),
  ),
});

export function agentForeign(context: Context): Command {
  return folderOf(new Command('foreign'))
    .description('list what the agent found without a record')
    .action(async (_options: unknown, command: Command) => {
      const answer = listSchema.safeParse(
        await askAgent(agentFolder(context, command), 'GET', '/foreign'),
      );
      if (!answer.success)
        throw new LimpetError('version-mismatch', 'the agent answers in another version');
      const { foreign } = answer.data;
      if (foreign.length === 0) note(context, 'nothing foreign here');
      else print(context, table(foreign, context.now()));
    })
    .addCommand(word(context, 'adopt', 'keep it as an execution like any other'))
    .addCommand(word(context, 'stop', 'stop it, keep its log, remove what is left of it'));
}

function word(context: Context, name: 'adopt' | 'stop', description: string): Command {
  return folderOf(new Command(name))
    .description(description)
    .argument('<id>', 'the execution, or a unique beginning or end of its id')
    .action(async (id: string, _options: unknown, command: Command) => {
      const folder = agentFolder(context, command);
      await askAgent(folder, 'POST', `/foreign/${encodeURIComponent(id)}`, { word: name });
      print(context, `${id}: ${name === 'adopt' ? 'adopted' : 'being stopped'}`);
    });
}

function table(foreign: z.infer<typeof listSchema>['foreign'], nowMs: number): string {
  const rows = foreign.map((one) => [
    shortId(one.id),
    one.executor,
    one.run,
    one.state,
    age(one.since, nowMs),
    one.jobName,
    one.owner === '' ? 'not known' : one.owner,
    one.answer,
  ]);
  return formatTable(['id', 'executor', 'run', 'state', 'since', 'job', 'owner', 'answer'], rows);
}
