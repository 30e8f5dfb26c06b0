/** `limpet plugin restart NAME`: an orderly end and a new process; its runs go on. */
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { pluginDetailSchema, type PluginDetail } from '../../wire/plugins.ts';
import { askAgentFor } from '../agent-answer.ts';
import { agentFolder, folderOf } from '../agent-folder.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';

const LOOK_MS = 100;
const RESTARTED_MS = 60_000;

const MEANING = `
The plugin is asked to end, and a new process is started at once; its runs go on and are found again. A plugin that
waits for its next try is tried now.`;

const answerSchema = z.object({ name: z.string(), instance: z.string().optional() });

export function pluginRestart(context: Context): Command {
  return folderOf(new Command('restart'))
    .description('end a plugin in an orderly way and start it anew; its runs go on')
    .argument('<name>', 'as `limpet plugin list` shows it')
    .addHelpText('after', MEANING)
    .action(async (name: string, _options: unknown, command: Command) => {
      const folder = agentFolder(context, command);
      const path = `/plugins/${encodeURIComponent(name)}`;
      const { instance } = await askAgentFor(answerSchema, folder, ['POST', `${path}/restart`]);
      const now = await successor(folder, path, instance);
      print(context, `${name}: restarted, version ${now.version}, pid ${now.pid}`);
    });
}

/** Errors: `plugin-failed` (it did not start), `timeout`. */
async function successor(
  folder: string,
  path: string,
  before: string | undefined,
): Promise<PluginDetail> {
  const until = performance.now() + RESTARTED_MS;
  for (;;) {
    const plugin = await askAgentFor(pluginDetailSchema, folder, ['GET', path]);
    const { name, state, reason, instance } = plugin;
    const isAnother = instance !== undefined && instance !== before;
    if (isAnother && state !== 'starting') return plugin;
    if (state === 'refused' || state === 'restarting')
      throw new LimpetError('plugin-failed', `plugin ${name}: ${reason}`);
    if (performance.now() > until)
      throw new LimpetError(
        'timeout',
        `plugin ${name} is ${state} after ${RESTARTED_MS / 1000} s; see \`limpet plugin inspect ${name}\``,
      );
    await delay(LOOK_MS);
  }
}
