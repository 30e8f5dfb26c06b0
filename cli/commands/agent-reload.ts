/** `limpet agent reload`: the agent reads its config again; runs, plugins and the link go on. */
import { Command } from 'commander';
import { LimpetError } from '../../core/errors.ts';
import { reloadLine, reloadReportSchema } from '../../wire/reload.ts';
import { agentFolder, folderOf } from '../agent-folder.ts';
import { askAgent } from '../agent-socket.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';

const MEANING = `
The same as SIGHUP and systemctl reload. What can change while the agent runs changes at once, files of keys and
certificates are read again, and what waits for the next start is named. A config that is wrong changes nothing.`;

export function agentReload(context: Context): Command {
  return folderOf(new Command('reload'))
    .description('read the config again')
    .addHelpText('after', MEANING)
    .action(async (_options: unknown, command: Command) => {
      const answer = await askAgent(agentFolder(context, command), 'POST', '/reload');
      const report = reloadReportSchema.parse(answer);
      if (report.result === 'refused') throw new LimpetError('invalid-config', reloadLine(report));
      if (report.result === 'partly') throw new LimpetError('unavailable', reloadLine(report));
      print(context, reloadLine(report));
    });
}
